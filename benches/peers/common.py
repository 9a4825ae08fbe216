"""What every peer shares: the job on the command line, data, initial weights, the report.

A peer is a script that takes a job and prints one JSON line. Peers know nothing of one another;
what is compared is what `dnn train` does with the same flags.
"""

import argparse
import json
import resource
import statistics
import time
from dataclasses import dataclass, field

import h5py
import numpy as np

LOADED_AT = time.perf_counter()


def job_parser(description):
    """The job description, the same for every peer that trains."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", required=True, help="HDF5 file with train_set_x, train_set_y")
    parser.add_argument("--test-data", help="HDF5 file with test_set_x, test_set_y")
    parser.add_argument("--dtype", choices=["f32", "f64"], default="f64")
    parser.add_argument("--layers", default="20,7,5", help="units of the hidden layers")
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--lr", type=float, default=0.0075)
    parser.add_argument("--seed", type=int, default=1, help="of NumPy's stream, for the weights")
    parser.add_argument("--iterations", type=int, default=2500, help="full-batch updates")
    parser.add_argument("--log-every", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=0, help="0: the whole training set")
    parser.add_argument("--epochs", type=int, default=1, help="passes, with --batch-size")
    parser.add_argument("--optimizer", choices=["gradient-descent", "adam"],
                        default="gradient-descent")
    parser.add_argument("--variant", default="eager", help="how the peer does it, if it can choose")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", help="write the trained model here")
    return parser


def dtype_of(job):
    return {"f32": np.float32, "f64": np.float64}[job.dtype]


def read_set(path, prefix):
    """Images (m, h, w, c) as uint8, one row an example, and labels (m,)."""
    with h5py.File(path, "r") as file:
        x = file[f"{prefix}_set_x"][...]
        y = file[f"{prefix}_set_y"][...]
    return x.reshape(len(x), -1), y.reshape(-1).astype(np.int64)


def layer_dims(job, n_features):
    hidden = [int(n) for n in job.layers.split(",")]
    return [n_features, *hidden, 1 if job.classes == 2 else job.classes]


def initial_weights(job, n_features):
    """The course's deep initialisation, N(0, 1)/√n_prev row by row from NumPy's legacy stream:
    `dnn train --rng numpy --init lecun` draws the same numbers."""
    dims = layer_dims(job, n_features)
    stream = np.random.RandomState(job.seed)
    return [
        (stream.randn(n, n_prev) / np.sqrt(n_prev)).astype(dtype_of(job))
        for n_prev, n in zip(dims, dims[1:])
    ]


@dataclass
class Report:
    """Measurements of one run; `emit` prints the JSON line."""

    peer: str
    costs: list = field(default_factory=list)
    steps: list = field(default_factory=list)
    train_seconds: float = 0.0
    setup_seconds: float = 0.0
    final_cost: float = float("nan")
    accuracy: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)

    def __post_init__(self):
        self.began = time.perf_counter()

    def start(self):
        """Data and weights are ready: training begins."""
        self.setup_seconds = time.perf_counter() - LOADED_AT
        self.began = self.last = time.perf_counter()

    def step(self):
        """One update is done."""
        now = time.perf_counter()
        self.steps.append(now - self.last)
        self.last = now

    def stop(self):
        self.train_seconds = time.perf_counter() - self.began

    def log(self, iteration, cost):
        self.costs.append({"iteration": iteration, "cost": float(cost)})

    def emit(self):
        print(json.dumps({
            "peer": self.peer,
            "versions": {"numpy": np.__version__, **self.versions},
            "setup_seconds": self.setup_seconds,
            "train_seconds": self.train_seconds,
            "step_seconds": statistics.median(self.steps) if self.steps else None,
            "costs": self.costs,
            "final_cost": float(self.final_cost),
            "accuracy": self.accuracy,
            # Linux counts kilobytes.
            "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }))
