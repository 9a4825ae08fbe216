"""Runs both sides: `dnn` in release, and the peers in their Python, each as a process that
`measure.py` watches from outside."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from . import report_progress
from .compare import Curve
from .environment import PEERS, measured_environment

ROOT = PEERS.parent.parent
# Other work on more of a core than this disturbs a run.
QUIET_CORES = 0.2
# Disturbed runs are repeated this often at most, and only short ones.
RETRIES = 2
SHORT_S = 5.0


class ProcessFailed(Exception):
    """A process of one side failed, or did not print what it should."""


@dataclass
class Measured:
    """A whole process, seen from outside. `others_cores`: cores that other work took meanwhile."""

    wall_s: float
    peak_rss_bytes: float
    others_cores: float = 0.0


@dataclass
class Images:
    """Files with training and test images."""

    train: Path
    test: Path


@dataclass
class Run:
    """What one training of either side has come to."""

    train_s: float
    # Median time of an update; the peers that know it.
    step_s: float | None = None
    wall_s: float = 0.0
    peak_rss_bytes: float = 0.0
    curve: Curve = field(default_factory=Curve)
    # The side's own words for itself: a peer's name, or our engine.
    name: str = ""
    test_accuracy: float | None = None


def parse_output(output):
    """One JSON object of the measured program, whatever it printed before, and the launcher's line
    after it."""
    rest, _, last = output.rstrip().rpartition("\n")
    try:
        watched = json.loads(last)
        measured = Measured(watched["wall_seconds"], watched["peak_rss_bytes"],
                            watched.get("others_cores") or 0.0)
    except (ValueError, TypeError, KeyError) as error:
        raise ProcessFailed("the launcher measured nothing") from error
    # `dnn` prints its object over several lines, a peer in one after its libraries' remarks.
    for text in [rest, rest.rpartition("\n")[2]]:
        try:
            printed = json.loads(text)
        except ValueError:
            continue
        if isinstance(printed, dict):
            return printed, measured
    raise ProcessFailed("printed no JSON object")


def curve_of(printed):
    """A cost that is no number (JSON has no NaN) is one that nothing equals."""
    def number(value):
        return float("nan") if value is None else float(value)

    try:
        costs = {point["iteration"]: number(point["cost"]) for point in printed["costs"]}
    except (TypeError, KeyError) as error:
        raise ProcessFailed("no costs printed") from error
    return Curve(costs, printed.get("final_cost"))


def program_of(messages, bench):
    """The program of a bench in the messages that cargo printed, one JSON object a line."""
    for line in messages.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if message.get("target", {}).get("name") == bench and message.get("executable"):
            return Path(message["executable"])
    raise ProcessFailed(f"cargo built no bench `{bench}`")


def describe_round_trips(seconds):
    """`, round trip 105 ns`, or `, round trip 105 to 520 ns`; nothing when there was none."""
    nanoseconds = [round(1e9 * s) for s in sorted(seconds)]
    if not nanoseconds:
        return ""
    least, most = nanoseconds[0], nanoseconds[-1]
    return f", round trip {least}{f' to {most}' if most > least else ''} ns"


class Bench:
    """What is the same for all jobs: programs, threads, number of runs, the working folder."""

    def __init__(self, python, work, threads, repeat, quick, may_write):
        self.python, self.work, self.may_write = python, work, may_write
        self.threads, self.repeat, self.quick = threads, repeat, quick
        self.target = work.parent
        program = "dnn.exe" if os.name == "nt" else "dnn"
        self.dnn = [self.target / "release" / program, "--json", "--quiet"]
        # Where `dnn train` leaves its model.
        self.run_folder = work / "run"
        # The program that measures a round trip between two cores, once it is built.
        self.round_trip = None
        self.reset_disturbance()

    def reset_disturbance(self):
        """What follows is a new row's."""
        self.others_cores = 0.0
        self.round_trips = []
        self.measure_round_trip()

    def measure_round_trip(self):
        if self.round_trip:
            printed, _ = self.launch_once([self.round_trip])
            self.round_trips.append(printed["round_trip"])

    def describe_runs(self):
        """How the runs since `reset_disturbance` were made, as the table says it: with the round trip
        between two cores, before them and after them."""
        self.measure_round_trip()
        return (f"{self.repeat} run{'s' if self.repeat > 1 else ''}"
                + (", quick" if self.quick else "")
                + describe_round_trips(self.round_trips)
                + (", busy machine" if self.others_cores > QUIET_CORES else ""))

    def build_bench(self, package, bench):
        """Builds a bench of a package and returns its program."""
        messages = cargo("bench", "--quiet", "--package", package, "--bench", bench, "--no-run",
                         "--message-format", "json")
        return program_of(messages, bench)

    def images(self):
        """The course's images when they are fetched, else as many drawn ones."""
        fetched = Images(ROOT / "data/train_catvnoncat.h5", ROOT / "data/test_catvnoncat.h5")
        if fetched.train.exists() and fetched.test.exists():
            return fetched
        return self.drawn(209, 64)

    def drawn(self, n_train, size):
        """Drawn images of this number and size, kept for the next run."""
        path = self.work / f"drawn-{n_train}x{size}.h5"
        if not path.exists():
            self.launch_once([*self.dnn, "data", "draw", "--train", n_train, "--size", size,
                              "--out", path])
        return Images(path, path)

    def train(self, images, *flags):
        """One run of `dnn train` with the job's threads, into `run_folder`."""
        args = ["train", images.train, "--threads", self.threads, "--out", self.run_folder, "--force"]
        if images.test != images.train:
            args += ["--test", images.test]
        printed, measured = self.launch([*self.dnn, *args, *flags])
        test = printed.get("test") or {}
        try:
            return Run(train_s=printed["seconds"]["train"], wall_s=measured.wall_s,
                       peak_rss_bytes=measured.peak_rss_bytes, curve=curve_of(printed),
                       name=printed["engine"],
                       test_accuracy=test["correct"] / test["total"] if test else None)
        except KeyError as error:
            raise ProcessFailed(f"`dnn train` printed no {error}") from error

    def peer(self, script):
        return [self.python, PEERS / script]

    def train_peer(self, script, *args):
        """One run of a training peer."""
        printed, measured = self.launch([*self.peer(script), *args])
        if "train_seconds" not in printed:
            raise ProcessFailed(f"{script}: printed no train_seconds")
        return Run(train_s=printed["train_seconds"], step_s=printed.get("step_seconds"),
                   wall_s=measured.wall_s, peak_rss_bytes=measured.peak_rss_bytes,
                   curve=curve_of(printed), name=printed.get("peer", script),
                   test_accuracy=printed.get("accuracy", {}).get("test"))

    def launch(self, command):
        """The least disturbed of a few launches, or the first that is not disturbed."""
        best = self.launch_once(command)
        for _ in range(RETRIES):
            if best[1].others_cores <= QUIET_CORES or best[1].wall_s > SHORT_S:
                break
            again = self.launch_once(command)
            best = min(best, again, key=lambda launched: launched[1].others_cores)
        self.others_cores = max(self.others_cores, best[1].others_cores)
        return best

    def launch_once(self, command):
        command = [str(part) for part in command]
        shown = " ".join(Path(part).name for part in command[:2])
        ended = subprocess.run([self.python, PEERS / "measure.py", *command], cwd=self.work,
                               env=measured_environment(self.threads), stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, encoding="utf-8")
        if ended.returncode:
            # The last lines have the error; a traceback comes before it.
            raise ProcessFailed(f"{shown}: {' '.join(ended.stderr.strip().splitlines()[-3:])}")
        try:
            return parse_output(ended.stdout)
        except ProcessFailed as error:
            raise ProcessFailed(f"{shown}: {error}") from error


def cargo(*args):
    """Runs cargo at the root, its messages on standard error; returns what it printed."""
    report_progress(f"$ cargo {' '.join(args)}")
    ended = subprocess.run(["cargo", *args], cwd=ROOT, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if ended.returncode:
        raise ProcessFailed(f"cargo {' '.join(args)} ended with {ended.returncode}")
    return ended.stdout
