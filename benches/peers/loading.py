"""From files to pixels in memory: photos with Pillow, rows of HDF5 with h5py.

    loading.py make FOLDER               the JPEG files, of the PNG files that our side has made
    loading.py photos FOLDER [--processes N] [--draft] --out FILE
    loading.py whole FILE.h5 --out FILE
    loading.py batches FILE.h5 [--order FILE] --out FILE

What was loaded is written to `--out` before the clock starts, to be compared; of the passes after
that, the median is printed as JSON. Files are read from the system's cache, by both sides.
"""

import argparse
import json
import multiprocessing
import pathlib
import statistics
import time

import h5py
import numpy as np
from PIL import Image, ImageOps

SIDE = 64
BATCH = 128
PASSES = 3


def make(root):
    """Quality 90 and colour at half the size either way, as cameras and phones store photos. The
    PNG files are written again, so that all are from the libraries that most files are from."""
    for folder in root.glob("png-*"):
        for png in folder.glob("*/*.png"):
            with Image.open(png) as image:
                image.load()
                image.save(png)
                for kind in ["baseline", "progressive"]:
                    path = (root / f"jpeg-{kind}{folder.name.removeprefix('png')}"
                            / png.parent.name / f"{png.stem}.jpg")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    image.save(path, quality=90, subsampling="4:2:0",
                               progressive=kind == "progressive")


def photo(path):
    """As the course and most tutorials do, upright."""
    with Image.open(path) as image:
        return reduced(image)


def photo_draft(path):
    """JPEG decoded at the least of 1/1, 1/2, 1/4, 1/8 that is twice as large as wanted, which is
    what `Image.thumbnail` does. Other pixels, and no photo is seen in full."""
    with Image.open(path) as image:
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
        return reduced(image)


def reduced(image):
    image = ImageOps.exif_transpose(image).convert("RGB")
    return np.asarray(image.resize((SIDE, SIDE), Image.LANCZOS))


def paths_of(folder):
    """In our side's order: class after class, each by name."""
    return sorted(path for path in folder.glob("*/*") if path.is_file())


def photos(args, run):
    paths = paths_of(args.path)
    load_one = photo_draft if args.draft else photo
    if args.processes == 1:
        return run(lambda: np.stack([load_one(path) for path in paths]))
    with multiprocessing.Pool(args.processes) as pool:
        return run(lambda: np.stack(pool.map(load_one, paths, chunksize=1)))


def whole(args, run):
    def load():
        with h5py.File(args.path, "r") as file:
            # The labels are part of what our side reads and checks.
            file["train_set_y"][...]
            return file["train_set_x"][...]

    run(load)


def batches(args, run):
    with h5py.File(args.path, "r") as file:
        shape = file["train_set_x"].shape
    if args.order:
        order = np.fromfile(args.order, "<u4")
    else:
        order = np.random.default_rng(1).permutation(shape[0])
    parts = [order[at:at + BATCH] for at in range(0, len(order), BATCH)]

    def load(take):
        with h5py.File(args.path, "r") as file:
            images = file["train_set_x"]
            for part in parts:
                # h5py takes indices in ascending order only; within a batch, order is nothing.
                rows = np.sort(part)
                take(rows, images[rows])

    everything = np.empty(shape, np.uint8)
    load(everything.__setitem__)
    run(lambda: load(lambda rows, pixels: None), everything)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["make", "photos", "whole", "batches"])
    parser.add_argument("path", type=pathlib.Path)
    parser.add_argument("--out")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--draft", action="store_true")
    parser.add_argument("--order")
    args = parser.parse_args()
    if args.what == "make":
        make(args.path)
        print(json.dumps({"made": True}))
        return

    def run(load, loaded=None):
        loaded = load() if loaded is None else loaded
        loaded.tofile(args.out)
        del loaded
        seconds = []
        for _ in range(PASSES):
            began = time.perf_counter()
            load()
            seconds.append(time.perf_counter() - began)
        print(json.dumps({"seconds": statistics.median(seconds)}))

    {"photos": photos, "whole": whole, "batches": batches}[args.what](args, run)


if __name__ == "__main__":
    main()
