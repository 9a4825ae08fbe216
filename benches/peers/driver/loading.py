"""From files to pixels in memory: photos against Pillow, rows of HDF5 against h5py."""

import os
import shutil
from dataclasses import dataclass, field

from . import report_progress
from .compare import Difference, Pairs, compare_pixels, digits
from .processes import ProcessFailed
from .table import Outcome

SCRIPT = "loading.py"
# Bytes of an image as both sides write it: 64×64 RGB.
IMAGE_BYTES = 64 * 64 * 3
# Ours over Pillow, both on one core.
ONE_CORE = 1.4
# Ours on all cores over Pillow in one process, which is how it is used.
ALL_CORES = 2.5
# Ours over h5py, a whole set into memory, by how its file stores it.
WHOLE = {"contiguous": 1.0}
# Levels of 255 by which resized photos may differ on average: two decoders of JPEG round
# differently, two resizers too.
PHOTOS_WITHIN = 1.0

FORMATS = ["jpeg-baseline", "jpeg-progressive", "png"]
SIZES = ["640x480", "1600x1200", "4000x3000"]


@dataclass
class Way:
    """One side's way of loading: what it is asked, the file it leaves, its seconds."""

    name: str
    args: list
    seconds: list[float] = field(default_factory=list)
    failure: ProcessFailed | None = None

    def out(self, bench):
        return bench.work / f"loaded-{self.name}.bin"


@dataclass
class Comparison:
    """One row: a way of ours against one of theirs."""

    against: str
    ours: Way
    theirs: Way
    target: float | None = None


def measure(bench):
    """Makes the files, holds what both sides load of them equal, and measures."""
    program = bench.build_bench("dnn-data", "loading_once")
    files, outcome = make_files(bench, program), Outcome()
    for kind in FORMATS:
        for size in SIZES:
            comparisons = photo_comparisons(bench, files / f"{kind}-{size}",
                                            f"Pillow, {kind.replace('-', ' ')} {size}")
            run_comparisons(bench, program, comparisons, PHOTOS_WITHIN, outcome)
    for storage in ["contiguous", "gzip"]:
        comparisons = hdf5_comparisons(files / f"{storage}.h5", f"h5py, {storage}")
        run_comparisons(bench, program, comparisons, 0.0, outcome)
    return outcome


def photo_comparisons(bench, folder, what):
    n = bench.threads
    ours_one = Way("ours-1", ["photos", folder, 1, "exact"])
    ours_all = Way("ours-all", ["photos", folder, n, "exact"])
    pillow_one = Way("pillow-1", ["photos", folder])
    comparisons = [
        Comparison(f"{what}, one core", ours_one, pillow_one, ONE_CORE),
        Comparison(f"{what}, one core against our {n}", ours_all, pillow_one, ALL_CORES),
        Comparison(f"{what}, {n} cores", ours_all,
                   Way("pillow-all", ["photos", folder, "--processes", n])),
    ]
    if "jpeg" in folder.name:
        draft = Way("pillow-draft", ["photos", folder, "--draft"])
        ours_fast = Way("ours-fast", ["photos", folder, 1, "fast"])
        comparisons += [
            Comparison(f"{what}, draft, one core", ours_one, draft),
            Comparison(f"{what}, draft against our fast, one core", ours_fast, draft),
            Comparison(f"{what}, one core against our fast", ours_fast, pillow_one),
        ]
    return comparisons


def hdf5_comparisons(file, what):
    order = file.with_suffix(".order")
    ours_batches = Way("ours-batches", ["batches", file, order])
    return [
        Comparison(f"{what}, everything", Way("ours-whole", ["whole", file]),
                   Way("h5py-whole", ["whole", file]), WHOLE.get(file.stem)),
        Comparison(f"{what}, our batches of 128", ours_batches,
                   Way("h5py-same", ["batches", file, "--order", order])),
        Comparison(f"{what}, batches of 128 from everywhere", ours_batches,
                   Way("h5py-batches", ["batches", file])),
    ]


def make_files(bench, program):
    """The folder of the files, made once: photos as PNG and rows by our side, JPEG by theirs."""
    files, unfinished = bench.work / "loading", bench.work / "loading.part"
    if not files.exists():
        shutil.rmtree(unfinished, ignore_errors=True)
        bench.launch_once([program, "make", unfinished])
        bench.launch_once([*bench.peer(SCRIPT), "make", unfinished])
        os.rename(unfinished, files)
    return files


def run_comparisons(bench, program, comparisons, within, outcome):
    """Runs every way in turn, as often as asked, and adds a row for each comparison."""
    def once(ways):
        return list({way.name: way for way in ways}.values())

    ours = once(comparison.ours for comparison in comparisons)
    theirs = once(comparison.theirs for comparison in comparisons)
    bench.reset_disturbance()
    for _ in range(bench.repeat):
        for way in ours:
            printed, _ = bench.launch([program, *way.args, way.out(bench)])
            way.seconds.append(printed["seconds"])
        for way in theirs:
            try:
                printed, _ = bench.launch([*bench.peer(SCRIPT), *way.args, "--out", way.out(bench)])
                way.seconds.append(printed["seconds"])
            except ProcessFailed as error:
                way.failure = error
    for comparison in comparisons:
        against, ours, theirs = comparison.against, comparison.ours, comparison.theirs
        if theirs.failure:
            outcome.failed(against, theirs.failure)
            continue
        loaded = ours.out(bench).read_bytes()
        try:
            how = compare_pixels(loaded, theirs.out(bench).read_bytes(), within, IMAGE_BYTES)
        except Difference as difference:
            outcome.disagreed(against, difference)
            continue
        report_progress(f"{against}: equal: {how}")
        n_images = len(loaded) // IMAGE_BYTES
        outcome.add(against, Pairs(ours.seconds, theirs.seconds),
                    lambda seconds: f"{digits(n_images / seconds)} images/s", comparison.target,
                    bench.describe_runs())
