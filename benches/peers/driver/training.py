"""The jobs that train: what each side is asked to do, and what of it is compared."""

import os
import shutil
from dataclasses import dataclass

from . import report_progress
from .compare import (EXACT, OTHER_ORDER, SINGLE, Difference, Equality, Pairs, compare_curves, differs,
                      show_seconds)
from .processes import Images, ProcessFailed
from .table import Outcome, Row, judge_fastest

# Updates of the course's training.
ITERATIONS = 2500
# Images, batch and passes of the 768-512-512-10 job.
MLP_IMAGES, MLP_BATCH, MLP_EPOCHS = 60_000, 128, 2
# Against the fastest of PyTorch's.
MLP_TARGET = 1.3
# A peer's peak memory over ours.
MEMORY_TARGET = 8.0


@dataclass(frozen=True)
class Peer:
    """A script beside this folder, a way it can do the job, and the ratio that is wanted."""

    script: str
    variant: str = ""
    target: float | None = None


TORCH = "torch_train.py"
COURSE_PEERS = [Peer("numpy_textbook.py", target=150), Peer(TORCH, "eager", 70),
                Peer("sklearn_train.py"), Peer("numpy_gram.py")]
MLP_PEERS = [*(Peer(TORCH, variant) for variant in ["eager", "foreach", "fused", "compiled"]),
             Peer("sklearn_train.py")]


@dataclass(frozen=True)
class TrainingJob:
    """One training, the same for both sides. With `optimizer` (its name and learning rate) it is the
    MLP in batches, else the course's network."""

    precision: str
    peers: list[Peer]
    equality: Equality
    engine: str = "auto"
    whole_process: bool = False
    optimizer: tuple[str, float] | None = None


JOBS = {
    "course-deep-f64": TrainingJob("f64", COURSE_PEERS, EXACT),
    "course-deep-f32": TrainingJob("f32", COURSE_PEERS, SINGLE),
    "dense-f64": TrainingJob("f64", [Peer(TORCH, "eager", 1.5)], EXACT, engine="dense"),
    "dense-f32": TrainingJob("f32", [Peer(TORCH, "eager", 1.5)], SINGLE, engine="dense"),
    "whole-process": TrainingJob("f64", [Peer(TORCH, "eager", 30)], EXACT, whole_process=True),
    "mlp-sgd": TrainingJob("f32", MLP_PEERS, OTHER_ORDER, optimizer=("gradient-descent", 0.1)),
    "mlp-adam": TrainingJob("f32", MLP_PEERS, OTHER_ORDER, optimizer=("adam", 0.001)),
}


@dataclass
class Task:
    """A job in both sides' words. `scale`: updates of ours over updates of theirs. `n_samples`:
    examples seen, where speed is counted in them."""

    images: Images
    ours: list
    theirs: list
    scale: float = 1.0
    n_samples: int | None = None

    def seconds(self, job, run, is_theirs):
        """What of a run is compared, scaled up when a peer has done a part of the job."""
        scale = self.scale if is_theirs else 1.0
        train_s = run.train_s * scale
        if scale != 1.0 and run.step_s is not None:
            # The median update, which the first ones and other work do not disturb.
            train_s = run.step_s * ITERATIONS
        return run.wall_s - run.train_s + train_s if job.whole_process else train_s

    def show(self, seconds):
        if self.n_samples:
            return f"{self.n_samples / seconds:.0f} samples/s"
        return show_seconds(seconds)


def task_of(bench, job):
    ours = f"--preset course-deep --rng numpy --seed 1 --precision {job.precision} "
    theirs = f"--dtype {job.precision} --seed 1 --threads {bench.threads} "
    if job.optimizer:
        name, lr = job.optimizer
        epochs = 1 if bench.quick else MLP_EPOCHS
        both = (f"--layers 512,512 --batch-size {MLP_BATCH} --epochs {epochs} "
                f"--optimizer {name} --lr {lr}")
        task = Task(noise(bench), (ours + both).split(), (theirs + both + " --classes 10").split(),
                    n_samples=MLP_IMAGES * epochs)
    else:
        # Ours always does the whole job: what it does once would weigh more in a part of it.
        n_theirs = ITERATIONS // 10 if bench.quick else ITERATIONS
        ours += f"--engine {job.engine} --log-every 50 --iterations "
        theirs += "--log-every 50 --iterations "
        task = Task(bench.images(), (ours + str(ITERATIONS)).split(),
                    (theirs + str(n_theirs)).split(), scale=ITERATIONS / n_theirs)
    task.theirs += ["--data", task.images.train]
    if job.whole_process:
        task.theirs += ["--test-data", task.images.test, "--save", bench.work / "peer-model.pt"]
    return task


def noise(bench):
    """Noise images of 16×16×3 in ten classes, made once."""
    path = bench.work / f"noise-{MLP_IMAGES}x16.h5"
    if not path.exists():
        bench.launch_once([*bench.peer("draw_noise.py"), "--out", path, "--train", MLP_IMAGES])
    return Images(path, path)


def hold_equal(job, task, ours, theirs):
    """Returns in words how equal two runs are. Raises `Difference`."""
    is_whole = task.scale == 1.0
    if not is_whole:
        ours.curve.final_cost = None  # theirs stopped earlier: the ends are not the same
    how = compare_curves(ours.curve, theirs.curve, job.equality)
    accuracies = (ours.test_accuracy, theirs.test_accuracy)
    if is_whole and None not in accuracies and differs(accuracies[0] - accuracies[1], 1e-9):
        raise Difference(f"test accuracy: ours {accuracies[0]}, theirs {accuracies[1]}")
    return how


def has_cxx():
    """Whether torch.compile will find a C++ compiler."""
    return any(name and shutil.which(name) for name in [os.environ.get("CXX"), "c++", "g++", "clang++"])


def measure(bench, job):
    """Ours and each peer in turn. A peer that cannot be run gets a row that says so."""
    task, outcome, candidates = task_of(bench, job), Outcome(), []
    for peer in job.peers:
        if peer.variant == "compiled" and not has_cxx():
            outcome.rows.append(Row(against="PyTorch, compiled", ratio="no C++ compiler here"))
            continue
        variant = ["--variant", peer.variant] if peer.variant else []
        bench.reset_disturbance()
        runs, failure = [], None
        for _ in range(bench.repeat):
            ours = bench.train(task.images, *task.ours)
            try:
                runs.append((ours, bench.train_peer(peer.script, *task.theirs, *variant)))
            except ProcessFailed as error:
                failure = error
                break
        if failure:
            outcome.failed(f"{peer.script.removesuffix('.py')} {peer.variant}".strip(), failure)
            continue
        against = runs[0][1].name
        try:
            how = [hold_equal(job, task, ours, theirs) for ours, theirs in runs]
        except Difference as difference:
            outcome.disagreed(against, difference)
            continue
        report_progress(f"{against}: equal: {how[-1]}; our engine: {runs[0][0].name}")
        pairs, memory = Pairs(), Pairs()
        for ours, theirs in runs:
            pairs.add(task.seconds(job, ours, False), task.seconds(job, theirs, True))
            memory.add(ours.peak_rss_bytes, theirs.peak_rss_bytes)
        outcome.add(against, pairs, task.show, peer.target, bench.describe_runs())
        if job.optimizer and peer.script == TORCH:
            candidates.append((outcome.rows[-1], pairs))
        if job.whole_process:
            outcome.add(f"{against}: peak memory", memory, lambda n: f"{n / 2**20:.0f} MiB",
                        MEMORY_TARGET, bench.describe_runs())
    judge_fastest(candidates, MLP_TARGET, "PyTorch's best")
    return outcome
