"""Runs what docs/export.md shows: python3 documented.py DOCUMENT npz|images FOLDER.

npz: the probabilities of `rows.bin` by each `.npz` in FOLDER, into `NAME.bin` (f64).
images: makes image files of every mode in FOLDER; the pixels that `load_image` has of each go into
`NAME.rgb`, after height and width as 4 bytes each.
"""
import pathlib
import re
import sys

import numpy as np
from PIL import Image

document, what, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
for block in re.findall(r"```python\n(.*?)```", pathlib.Path(document).read_text("utf-8"), re.S):
    exec(block)


def every_mode():
    random = np.random.default_rng(1)
    byte = lambda *shape: random.integers(0, 256, shape, np.uint8)
    for i, (height, width) in enumerate([(1, 1), (64, 64), (37, 90), (200, 131), (9, 300), (128, 64)]):
        rgba = Image.fromarray(byte(height, width, 4))
        grey = Image.fromarray(byte(height, width))
        colour = Image.fromarray(byte(height, width, 3))
        yield f"grey{i}.png", grey, {}
        yield f"grey-alpha{i}.png", Image.merge("LA", (grey, rgba.getchannel(3))), {}
        yield f"rgb{i}.png", colour, {}
        yield f"rgba{i}.png", rgba, {}
        yield f"bit{i}.png", Image.fromarray(byte(height, width) > 127), {}
        yield f"palette{i}.png", colour.quantize(200), {}
        yield f"transparent-palette{i}.png", colour.quantize(16), {"transparency": 3}
        yield f"transparent-grey{i}.png", grey, {"transparency": 7}
        yield f"deep{i}.png", Image.fromarray(random.integers(0, 65536, (height, width), np.uint16)), {}
        yield f"bmp{i}.bmp", colour, {}
        yield f"lossless{i}.webp", colour, {"lossless": True}
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield f"turned{orientation}.png", Image.fromarray(byte(20 + orientation, 33, 3)), {"exif": exif}


if what == "npz":
    for file in folder.glob("*.npz"):
        rows = np.fromfile(folder / "rows.bin").reshape(-1, np.load(file)["W1"].shape[1])
        probabilities(file, rows).astype(np.float64).tofile(file.with_suffix(".bin"))
else:
    for name, image, options in every_mode():
        image.save(folder / name, **options)
        pixels = load_image(folder / name)
        with open(folder / f"{name}.rgb", "wb") as file:
            np.array(pixels.shape[:2], np.uint32).tofile(file)
            np.ascontiguousarray(pixels).tofile(file)
