"""Whether two sides did the same work, and by how much one was faster."""

import math
import statistics
from dataclasses import dataclass, field


class Difference(Exception):
    """The two sides' results differ, so that their times say nothing."""


@dataclass
class Curve:
    """Costs by iteration, and the last cost over the whole training set where it is comparable."""

    costs: dict[int, float] = field(default_factory=dict)
    final_cost: float | None = None


@dataclass(frozen=True)
class Equality:
    """Costs up to an iteration must agree within `costs_within`, the last within `final_within`."""

    last_iteration: float
    costs_within: float
    final_within: float
    final_is_relative: bool = False


# f64: every common cost.
EXACT = Equality(math.inf, 1e-9, 1e-9)
# f32: a ReLU that flips by rounding parts the curves for good (near iteration 87 on the course's
# data), so only the first costs are held equal.
SINGLE = Equality(50, 1e-4, 0.05)
# Batches in another order: the last cost alone, within a tenth.
OTHER_ORDER = Equality(-1, 0.0, 0.1, final_is_relative=True)


def differs(gap, within):
    """Whether a gap is too wide; NaN is."""
    return not abs(gap) <= within


def compare_curves(ours, theirs, equality):
    """Returns in words how equal the curves are. Raises `Difference` for the first difference, and
    when there is nothing to compare."""
    common = [i for i in ours.costs if i in theirs.costs and i <= equality.last_iteration]
    for i in common:
        gap = abs(ours.costs[i] - theirs.costs[i])
        if differs(gap, equality.costs_within):
            raise Difference(f"cost at iteration {i}: ours {ours.costs[i]}, "
                             f"theirs {theirs.costs[i]}, {gap:.1e} apart")
    finals = (ours.final_cost, theirs.final_cost)
    if None not in finals:
        within = equality.final_within * (finals[1] if equality.final_is_relative else 1)
        if differs(finals[0] - finals[1], within):
            raise Difference(f"last cost: ours {finals[0]}, theirs {finals[1]}")
    if equality.last_iteration < 0:
        if None in finals:
            raise Difference("no last cost to compare")
        return f"last cost: ours {finals[0]:.4f}, theirs {finals[1]:.4f}"
    if not common:
        raise Difference("no cost of the same iteration to compare")
    largest = max(abs(ours.costs[i] - theirs.costs[i]) for i in common)
    return f"{len(common)} costs, at most {largest:.1e} apart"


def compare_pixels(ours, theirs, within, image_bytes):
    """Returns in words how equal the bytes are, which may differ by `within` levels on average.
    Raises `Difference` when they are further apart, or not as many whole images."""
    if not ours or len(ours) != len(theirs) or len(ours) % image_bytes:
        raise Difference(f"ours {len(ours)} bytes, theirs {len(theirs)}")
    if ours == theirs:  # at once, for the tens of megabytes of HDF5
        return "the same bytes"
    gaps = [abs(a - b) for a, b in zip(ours, theirs)]
    mean = sum(gaps) / len(gaps)
    how = f"{mean:.4f} levels apart on average, {max(gaps)} at most"
    if mean > within:
        raise Difference(how)
    return how


@dataclass
class Pairs:
    """Measurements of both sides, one of each right after the other."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    def add(self, ours, theirs):
        self.ours.append(ours)
        self.theirs.append(theirs)

    def ratios(self):
        return [theirs / ours for ours, theirs in zip(self.ours, self.theirs)]

    def ratio(self):
        """Theirs over ours: the median over pairs, which other work on the machine disturbs less
        than it does either median."""
        return statistics.median(self.ratios())

    def our_median(self):
        return statistics.median(self.ours)

    def their_median(self):
        return statistics.median(self.theirs)

    def show_ratio(self):
        """The ratio, with its range over pairs when there are several."""
        ratios = self.ratios()
        spread = f" ({digits(min(ratios))} to {digits(max(ratios))})" if len(ratios) > 1 else ""
        return f"{digits(self.ratio())}×{spread}"


def digits(value):
    """Three digits: `166`, `16.6`, `1.53`."""
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def show_seconds(seconds):
    """`15.2 s`, `91.3 ms`, `7.42 µs`."""
    if seconds >= 1:
        return f"{digits(seconds)} s"
    if seconds >= 1e-3:
        return f"{digits(seconds * 1e3)} ms"
    return f"{digits(seconds * 1e6)} µs"


def verdict(ratio, target):
    """What the table says about a target, which is a least ratio."""
    if target is None:
        return ""
    return "met" if ratio >= target else "not met"
