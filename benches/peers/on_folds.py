"""What other classifiers get right on the folds that `dnn train DATA --folds K` judged by.

    dnn train DATA --folds 5 --out RUN
    python on_folds.py DATA RUN/predictions.csv [--size 32] [--cnn]

DATA is a table (CSV with a header, the label in its last column), a folder of images, or the course's
folder of HDF5 files. Images are pixels of --size a side for all of them. Features are standardised by the
training examples of each fold. The first row is dnn's own, from the file.
"""

import argparse
import csv
import pathlib
import warnings

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def examples(data, names, size):
    """The features of the examples of these names, a row each; images as (size, size, 3)."""
    from PIL import Image

    def pixels(image):
        return np.asarray(image.convert("RGB").resize((size, size)), dtype=np.float32) / 255

    if data.suffix == ".csv":
        rows = np.array([row[:-1] for row in csv.reader(data.open())][1:], dtype=np.float64)
        return rows[[int(name) for name in names]]
    if (data / "train_catvnoncat.h5").exists():
        import h5py

        images = h5py.File(data / "train_catvnoncat.h5")["train_set_x"][:]
        return np.stack([pixels(Image.fromarray(images[int(name)])) for name in names])
    return np.stack([pixels(Image.open(name)) for name in names])


class SmallCnn:
    """Two convolutions of 3×3 (16 and 32 channels) with pooling, and 64 units; Adam, flips, 60 epochs."""

    def fit(self, x, y):
        import torch
        from torch import nn

        torch.manual_seed(1)
        x, y = torch.tensor(x).permute(0, 3, 1, 2), torch.tensor(y)
        side = x.shape[-1] // 4
        self.net = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * side * side, 64), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(64, int(y.max()) + 1),
        )
        adam = torch.optim.Adam(self.net.parameters(), 1e-3)
        for _ in range(60):
            for batch in torch.randperm(len(x)).split(32):
                images = x[batch].flip(3) if torch.rand(()) < 0.5 else x[batch]
                adam.zero_grad()
                nn.functional.cross_entropy(self.net(images), y[batch]).backward()
                adam.step()
        return self

    def predict(self, x):
        import torch

        with torch.no_grad():
            self.net.eval()
            return self.net(torch.tensor(x).permute(0, 3, 1, 2)).argmax(1).numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("predictions", type=pathlib.Path)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--cnn", action="store_true", help="a small CNN as well (images, with torch)")
    args = parser.parse_args()
    rows = list(csv.DictReader(args.predictions.open()))
    classes = sorted({row["true_class"] for row in rows})
    y = np.array([classes.index(row["true_class"]) for row in rows])
    fold = np.array([int(row["fold"]) for row in rows])
    x = examples(args.data, [row["example"] for row in rows], args.size)
    flat = x.reshape(len(x), -1)

    def said(name, n_right):
        print(f"{name:24} {n_right:5} of {len(y)}  {100 * n_right / len(y):.1f} %", flush=True)

    said("dnn", sum(row["class"] == row["true_class"] for row in rows))
    warnings.simplefilter("ignore")
    peers = {
        "logistic regression": (flat, lambda: LogisticRegression(max_iter=2000)),
        "MLPClassifier": (flat, lambda: MLPClassifier(max_iter=500, random_state=1)),
        "random forest": (flat, lambda: RandomForestClassifier(500, random_state=1)),
    }
    for name, (features, model) in peers.items():
        n_right = 0
        for k in np.unique(fold):
            fitted = make_pipeline(StandardScaler(), model()).fit(features[fold != k], y[fold != k])
            n_right += int((fitted.predict(features[fold == k]) == y[fold == k]).sum())
        said(name, n_right)
    if args.cnn:
        parts = [(x[fold != k], y[fold != k], x[fold == k], y[fold == k]) for k in np.unique(fold)]
        said("small CNN", sum(int((SmallCnn().fit(*p[:2]).predict(p[2]) == p[3]).sum()) for p in parts))


if __name__ == "__main__":
    main()
