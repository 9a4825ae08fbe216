"""Measures the same jobs here and in the Python peers, and writes docs/performance.md's table.

Each job first holds both sides' results equal, and gives no ratio when they are not (exit code 1).
Runs alternate; what is compared are medians. A target that is not met is said in the table and is no
failure: times depend on the machine. Exit code 2: a job could not be run.
"""

import argparse
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from driver import environment, growth, kernels, loading, report_progress, sweep, table, training
from driver.processes import ROOT, Bench, ProcessFailed, cargo

# In the order of the table.
JOBS = {
    **{name: partial(training.measure, job=job) for name, job in training.JOBS.items()},
    "sweep": sweep.measure,
    "products": kernels.measure_products,
    "one-image": kernels.measure_one_image,
    "predict-process": kernels.measure_predict_process,
    "growth": growth.measure,
    "loading": loading.measure,
}
DOCUMENT = ROOT / "docs" / "performance.md"


def count(most):
    def parse(text):
        value = int(text)
        if not 1 <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between 1 and {most}")
        return value

    return parse


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="cargo xtask bench-peers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one run of each, and a tenth of the "
                        "iterations for the slow peers, times scaled up")
    parser.add_argument("--job", dest="jobs", action="append", choices=JOBS, metavar="NAME",
                        help="only this job; may be repeated; other rows of the table stay, on the "
                        f"same machine. The jobs: {', '.join(JOBS)}")
    parser.add_argument("--python", metavar="PATH", help="a Python that has the packages of "
                        "benches/peers/requirements.txt, instead of a virtual environment under target/")
    parser.add_argument("--repeat", type=count(99), metavar="N",
                        help="runs of each side [default: 3; with --quick 1]")
    parser.add_argument("--threads", type=count(256), metavar="N", default=2,
                        help="threads for every side [default: 2]")
    parser.add_argument("--dry-run", action="store_true",
                        help="print the rows, and leave docs/ as it is")
    return parser.parse_args(arguments)


def measure(args):
    """Runs the jobs; returns what the sides disagree on, and the jobs that could not be run."""
    table.divide(DOCUMENT.read_text(encoding="utf-8"))
    metadata = subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT,
                              capture_output=True, check=True)
    work = Path(json.loads(metadata.stdout)["target_directory"]) / "bench-peers"
    work.mkdir(parents=True, exist_ok=True)
    python, versions = environment.find_python(args.python, work)
    machine = environment.describe(args.threads, versions)
    bench = Bench(python, work, args.threads, args.repeat or (1 if args.quick else 3), args.quick,
                  may_write=not args.dry_run)
    cargo("build", "--release", "--package", "dnn-cli")
    bench.round_trip = bench.build_bench("dnn-train", "round_trip")
    names = [name for name in JOBS if name in (args.jobs or JOBS)]
    disagreements, failures = [], []
    for i, name in enumerate(names, start=1):
        report_progress(f"\n=== {name} ({i} of {len(names)})")
        began = time.monotonic()
        try:
            outcome = JOBS[name](bench)
        except (ProcessFailed, OSError, KeyError) as error:
            report_progress(f"{name}: {error}")
            failures.append(name)
            continue
        for row in outcome.rows:
            row.job = name
        print(table.render(outcome.rows), flush=True)
        disagreements += [f"{name}: {disagreement}" for disagreement in outcome.disagreements]
        if bench.may_write:
            # After each job, so that an interrupted run keeps what it has measured; read again, as
            # someone may write in the document meanwhile.
            text = DOCUMENT.read_text(encoding="utf-8")
            text = table.replace_rows(text, machine, name, outcome.rows, list(JOBS))
            table.write_whole(DOCUMENT, text)
        report_progress(f"=== {name}: {time.monotonic() - began:.0f} s")
    return disagreements, failures


def main():
    args = parse_arguments(sys.argv[1:])
    try:
        disagreements, failures = measure(args)
    except (ProcessFailed, OSError, environment.NoEnvironment, subprocess.CalledProcessError) as error:
        report_progress(f"error: {error}")
        return 2
    except table.BadDocument as error:
        report_progress(f"error: {DOCUMENT}: {error}")
        return 2
    except KeyboardInterrupt:
        return 130
    for disagreement in disagreements:
        report_progress(disagreement)
    if failures:
        report_progress(f"error: these jobs could not be run: {', '.join(failures)}")
        return 2
    return 1 if disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
