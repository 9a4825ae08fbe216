"""Many networks that differ in their seeds: `dnn sweep`, which computes G once for all of them, against
NumPy's Gram form, one after another."""

import shutil
import statistics

from . import report_progress
from .compare import Difference, Pairs, differs, show_seconds
from .processes import ProcessFailed
from .table import Outcome
from .training import ITERATIONS, JOBS

# Networks, and those of a quick run, whose time is scaled up.
SEEDS, QUICK_SEEDS = 100, 10
# Of theirs, so many are trained: each takes as long as any other.
THEIR_SEEDS = 3


def measure(bench):
    outcome = Outcome()
    for precision in ["f64", "f32"]:
        against = f"NumPy, Gram form, one after another, {precision}"
        bench.reset_disturbance()
        try:
            pairs = Pairs()
            for _ in range(bench.repeat):
                pairs.add(*seconds(bench, precision))
        except ProcessFailed as error:
            outcome.failed(against, error)
        except Difference as difference:
            outcome.disagreed(against, difference)
        else:
            outcome.add(against, pairs, show_seconds, None, bench.describe_runs())
    return outcome


def seconds(bench, precision):
    """What all networks take on both sides: ours from the start of the process to its end, theirs in
    training alone. Raises `Difference` when the same seed does not come to the same cost."""
    images, n = bench.images(), QUICK_SEEDS if bench.quick else SEEDS
    grid, folder = bench.work / "sweep.toml", bench.work / "sweep"
    grid.write_text(f'preset = "course-deep"\n[grid]\nrng = ["numpy"]\nprecision = ["{precision}"]\n'
                    f"seed = {list(range(1, n + 1))}\n")
    shutil.rmtree(folder, ignore_errors=True)
    printed, process = bench.launch_once([*bench.dnn, "sweep", grid, images.train, "--jobs",
                                          bench.threads, "--out", folder])
    our_costs = {row["setting"]["seed"]: row["cost"] for row in printed["rows"]}
    theirs, within = [], JOBS[f"course-deep-{precision}"].equality.final_within
    for seed in range(1, THEIR_SEEDS + 1):
        run = bench.train_peer("numpy_gram.py", "--data", images.train, "--dtype", precision,
                               "--threads", bench.threads, "--iterations", ITERATIONS, "--seed", seed)
        if differs(our_costs[seed] - run.curve.final_cost, within):
            raise Difference(f"last cost of seed {seed}: ours {our_costs[seed]}, "
                             f"theirs {run.curve.final_cost}")
        theirs.append(run.train_s)
    report_progress(f"equal: last costs of {THEIR_SEEDS} seeds, within {within:g}")
    return process.wall_s * SEEDS / n, statistics.mean(theirs) * SEEDS
