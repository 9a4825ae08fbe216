"""Writes noise images that can be told apart: each class brightens pixels of its own a little.

The course's schema, (m, side, side, 3) uint8, with `--classes` class names.
"""

import argparse
import json
import os

import h5py
import numpy as np

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", required=True)
parser.add_argument("--train", type=int, default=60_000)
parser.add_argument("--test", type=int, default=1_000)
parser.add_argument("--side", type=int, default=16)
parser.add_argument("--classes", type=int, default=10)
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()

rng = np.random.default_rng(args.seed)
shape = (args.side, args.side, 3)
brighter = (rng.random((args.classes, *shape)) < 0.1).astype(np.uint8) * 12
unfinished = args.out + ".part"
with h5py.File(unfinished, "w") as file:
    file["list_classes"] = np.array([f"class {k}".encode() for k in range(args.classes)])
    for prefix, m in [("train", args.train), ("test", args.test)]:
        y = rng.integers(0, args.classes, m)
        x = rng.integers(0, 244, (m, *shape), dtype=np.uint8) + brighter[y]
        file[f"{prefix}_set_x"] = x
        file[f"{prefix}_set_y"] = y
os.replace(unfinished, args.out)
print(json.dumps({"out": args.out}))
