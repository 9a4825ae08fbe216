"""Time against counted operations, while examples, features or units grow; and its picture."""

import math
import statistics
from dataclasses import dataclass

from . import report_progress
from .compare import digits, show_seconds
from .processes import ROOT
from .table import Outcome, Row, write_whole

# A sweep's times may leave its line of proportionality by this factor.
TARGET = 1.5
PICTURE = ROOT / "docs" / "growth.svg"


@dataclass(frozen=True)
class Size:
    """One training: examples, pixels a side, units of the first hidden layer."""

    m: int
    side: int
    n1: int

    def hidden(self):
        return [self.n1, 7, 5]

    def n0(self):
        return self.side * self.side * 3

    def after_first(self):
        """Multiplications and additions of the products that each example takes after the first
        layer: forward, dW and dA."""
        n1, n2, n3 = self.hidden()
        return 6 * (n1 * n2 + n2 * n3 + n3)

    def dense(self):
        """Of one iteration on X itself: W·X and dZ·Xᵀ; nobody needs dA₀."""
        return self.m * (4 * self.n0() * self.n1 + self.after_first())

    def gram(self):
        """Of one iteration on G = XᵀX: C·G."""
        return self.m * (2 * self.m * self.n1 + self.after_first())

    def gram_once(self):
        """Once: half of G, as it is symmetric, P = W·X, and the weights at the end."""
        return self.m * (self.m + 1) * self.n0() + 4 * self.m * self.n0() * self.n1

    def operations(self, engine, iterations):
        if engine == "gram":
            return self.gram_once() + self.gram() * iterations
        return self.dense() * iterations


SWEEPS = {
    "examples 209 to 20,000 of 3072 features": [Size(m, 32, 20) for m in [209, 1000, 5000, 20_000]],
    "features 768 to 49,152": [Size(209, side, 20) for side in [16, 32, 64, 128]],
    "first layer 20 to 1024 units": [Size(209, 64, n1) for n1 in [20, 64, 256, 1024]],
}


@dataclass
class Series:
    """Points of (operations, seconds) of an iteration, for the picture."""

    name: str
    engine: str
    points: list[tuple[float, float]]


def measure(bench):
    """Every sweep with the dense engine and with the one that `auto` takes."""
    outcome, series = Outcome(), []
    for name, sizes in SWEEPS.items():
        for engine in ["dense", "auto"]:
            bench.reset_disturbance()
            points, engines = measure_sweep(bench, name, sizes, engine)
            deviation = deviation_from_line(points)
            speeds = [operations / seconds * 1e-9 for operations, seconds in points]
            outcome.rows.append(Row(
                against=f"operations counted, {name}; "
                        + (f"auto: {', '.join(engines)}" if engine == "auto" else engines[-1]),
                ours=f"{speeds[0]:.1f} to {speeds[-1]:.1f} GFLOP/s",
                ratio=f"within {digits(deviation)}×", target=f"≤ {TARGET}×",
                verdict="met" if deviation <= TARGET else "not met", runs=bench.describe_runs()))
            series.append(Series(name, engine, points))
    if bench.may_write:
        write_whole(PICTURE, picture(series))
    return outcome


def measure_sweep(bench, name, sizes, engine):
    """Operations and seconds of an iteration, what is done once shared out; the engines that ran."""
    points, engines = [], []
    for size in sizes:
        images = bench.drawn(size.m, size.side)
        iterations = min(max(int((1e10 if bench.quick else 4e10) / size.dense()), 20), 500)
        layers = ",".join(map(str, size.hidden()))
        runs = [bench.train(images, "--preset", "course-deep", "--precision", "f32", "--engine", engine,
                            "--layers", layers, "--iterations", iterations, "--log-every", 500)
                for _ in range(bench.repeat)]
        ran = runs[-1].name
        operations = size.operations(ran, iterations) / iterations
        seconds = statistics.median(run.train_s for run in runs) / iterations
        report_progress(f"{name}: {size.m} examples, {size.n0()} features, {size.n1} units, {ran}: "
                        f"{operations:.2e} operations in {show_seconds(seconds)} an iteration, "
                        f"{operations / seconds * 1e-9:.1f} GFLOP/s")
        points.append((operations, seconds))
        engines.append(ran)
    return points, engines


def cost_range(points):
    """The least and the most seconds an operation."""
    costs = [seconds / operations for operations, seconds in points]
    return min(costs), max(costs)


def deviation_from_line(points):
    """The least factor by which every point is within of one line seconds = c·operations."""
    least, most = cost_range(points)
    return math.sqrt(most / least)


WIDTH, HEIGHT = 760, 480
LEFT, TOP, RIGHT, BOTTOM = 80, 24, 724, 424
# Told apart by people who see colours differently, too.
COLOURS = ["#0072b2", "#d55e00", "#009e73"]


class LogScale:
    """Powers of ten around the values, from one end of an axis to the other."""

    def __init__(self, values, start, end):
        exponents = [math.log10(value) for value in values]
        self.low = math.floor(min(exponents))
        self.high = max(math.ceil(max(exponents)), self.low + 1)
        self.start, self.end = start, end

    def powers(self):
        return range(self.low, self.high + 1)

    def place(self, value):
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)


def picture(series):
    """Seconds of an iteration against its operations as SVG, both logarithmic. Filled points (dense)
    have their line of proportionality."""
    points = [point for one in series for point in one.points]
    x = LogScale([operations for operations, _ in points], LEFT, RIGHT)
    y = LogScale([seconds for _, seconds in points], BOTTOM, TOP)
    names = list(dict.fromkeys(one.name for one in series))
    colours = dict(zip(names, COLOURS))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="13">',
           "<title>Seconds of an iteration against its counted operations</title>",
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']

    def text(at_x, at_y, anchor, words):
        out.append(f'<text x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}" fill="#333">{words}</text>')

    def circle(at_x, at_y, colour, hollow):
        out.append(f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="{6.5 if hollow else 4}" '
                   f'fill="{"none" if hollow else colour}" stroke="{colour}" stroke-width="1.5"/>')

    for power in x.powers():
        at = x.place(10.0**power)
        out.append(f'<path d="M{at:.1f} {TOP}V{BOTTOM}" stroke="#ddd"/>')
        text(at, BOTTOM + 20, "middle", f'10<tspan dy="-5" font-size="10">{power}</tspan>')
    for power in y.powers():
        at = y.place(10.0**power)
        unit, exponent = ("µs", 6) if power < -3 else ("ms", 3) if power < 0 else ("s", 0)
        out.append(f'<path d="M{LEFT} {at:.1f}H{RIGHT}" stroke="#ddd"/>')
        text(LEFT - 8, at + 4, "end", f"{10.0 ** (power + exponent):g} {unit}")
    text((LEFT + RIGHT) / 2, HEIGHT - 12, "middle", "operations an iteration (lines: proportional)")
    for one in series:
        colour, hollow = colours[one.name], one.engine == "auto"
        if not hollow:
            # The line seconds = c·operations that lies in the middle of the points.
            cost = math.sqrt(math.prod(cost_range(one.points)))
            ends = [pick(operations for operations, _ in one.points) for pick in (min, max)]
            (x1, y1), (x2, y2) = [(x.place(end), y.place(end * cost)) for end in ends]
            out.append(f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" '
                       'stroke-dasharray="5 4"/>')
        for operations, seconds in one.points:
            circle(x.place(operations), y.place(seconds), colour, hollow)
    legend = [(name, colours[name], False) for name in names]
    legend.append(("the same with the engine that auto takes", "#333", True))
    for row, (words, colour, hollow) in enumerate(legend):
        at = TOP + 22 + 20 * row
        circle(LEFT + 20, at - 4.5, colour, hollow)
        text(LEFT + 34, at, "start", words)
    return "\n".join([*out, "</svg>", ""])
