"""Single kernels: latency of one image, and the products of an iteration alone."""

import json

from . import report_progress
from .compare import Pairs, differs, show_seconds
from .processes import ProcessFailed, cargo
from .table import Outcome, judge_fastest

ONE_IMAGE_BENCH = "network/f32/one image/12288-20-7-5-1x1"
ONE_IMAGE_BACKENDS = {"onnxruntime": "onnxruntime", "torch": "PyTorch", "numpy": "NumPy"}
# Against the fastest of them.
ONE_IMAGE_TARGET = 2.0
# Whole processes of each side that are alternated in a run.
PROCESSES = 5
# Share of the multiply-adds that the cores make when they need nothing from memory.
PRODUCTS_TARGET = 0.7


def measure_one_image(bench):
    """Trains a model, holds everybody's probability of one image equal, and measures Criterion's
    estimate of ours against the peers' own clocks."""
    images = bench.images()
    bench.train(images, "--preset", "course-deep", "--precision", "f32")
    model, png = bench.run_folder / "model.safetensors", bench.work / "one-image.png"
    args = ["--model", model, "--data", images.test, "--png", png, "--threads", bench.threads,
            "--seconds", 1 if bench.quick else 3, "--backend"]
    outcome, candidates = Outcome(), []
    for backend, name in ONE_IMAGE_BACKENDS.items():
        bench.reset_disturbance()
        pairs, probability, failure = Pairs(), None, None
        for _ in range(bench.repeat):
            ours = our_latency(bench)
            try:
                printed, _ = bench.launch([*bench.peer("one_image.py"), *args, backend])
            except ProcessFailed as error:
                failure = error
                break
            pairs.add(ours, printed["latency_seconds"])
            probability = printed["probability"]
        if failure:
            outcome.failed(name, failure)
            continue
        # The peer has written the picture.
        predictions, _ = bench.launch([*bench.dnn, "predict", model, png])
        our_probability = predictions["predictions"][0]["probabilities"][1]
        if differs(our_probability - probability, 1e-4):
            outcome.disagreed(name, f"probability: ours {our_probability}, theirs {probability}")
            continue
        report_progress(f"{name}: equal: probability {our_probability:.6f} and {probability:.6f}")
        outcome.add(name, pairs, show_seconds, None, bench.describe_runs())
        candidates.append((outcome.rows[-1], pairs))
    judge_fastest(candidates, ONE_IMAGE_TARGET, "the best")
    return outcome


def measure_predict_process(bench):
    """A whole process that says what is in one picture, from its start to its end: `dnn predict`, and
    Python with NumPy, whose first answer ends it."""
    images = bench.images()
    bench.train(images, "--preset", "course-deep", "--precision", "f32")
    model, png = bench.run_folder / "model.safetensors", bench.work / "one-image.png"
    theirs = [*bench.peer("one_image.py"), "--model", model, "--data", images.test, "--png", png,
              "--threads", bench.threads, "--seconds", 0, "--backend"]
    outcome = Outcome()
    for backend in ["numpy", "onnxruntime"]:
        name = f"{ONE_IMAGE_BACKENDS[backend]}, a process of Python"
        bench.reset_disturbance()
        pairs = Pairs()
        try:
            for _ in range(PROCESSES * bench.repeat):
                # The peer writes the picture.
                printed, their_process = bench.launch([*theirs, backend])
                predictions, our_process = bench.launch([*bench.dnn, "predict", model, png])
                pairs.add(our_process.wall_s, their_process.wall_s)
        except ProcessFailed as error:
            outcome.failed(name, error)
            continue
        ours = predictions["predictions"][0]["probabilities"][1]
        if differs(ours - printed["probability"], 1e-4):
            outcome.disagreed(name, f"probability: ours {ours}, theirs {printed['probability']}")
            continue
        outcome.add(name, pairs, show_seconds, None, bench.describe_runs())
    return outcome


def our_latency(bench):
    cargo("bench", "--quiet", "--package", "dnn-core", "--", ONE_IMAGE_BENCH)
    return criterion_median_s(bench.target / "criterion", ONE_IMAGE_BENCH)


def criterion_median_s(folder, bench_id):
    """The median that Criterion keeps for the bench of this id, wherever its folder is."""
    for description in folder.rglob("new/benchmark.json"):
        if json.loads(description.read_text())["full_id"] == bench_id:
            estimates = json.loads((description.parent / "estimates.json").read_text())
            return estimates["median"]["point_estimate"] * 1e-9
    raise ProcessFailed(f"`cargo bench` has no bench `{bench_id}`")


def measure_products(bench):
    """Our program measures both in alternation: what the cores can do at most stands as `theirs`."""
    program = bench.build_bench("dnn-train", "products_once")
    bench.reset_disturbance()
    outcome, pairs = Outcome(), Pairs()
    for _ in range(bench.repeat):
        printed, _ = bench.launch([program, bench.threads])
        # Seconds of an operation, as ratios are of times.
        pairs.add(1 / printed["products"], 1 / printed["ceiling"])
    outcome.add(f"measured ceiling of {bench.threads} threads, f32", pairs,
                lambda seconds: f"{1e-9 / seconds:.0f} GFLOP/s", PRODUCTS_TARGET, bench.describe_runs())
    return outcome
