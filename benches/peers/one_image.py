"""Latency of one image through a trained network in f32: onnxruntime, PyTorch, NumPy.

Reads `dnn train`'s model file and the first test image, writes that image as a PNG for
`dnn predict`, and prints each backend's probability of class 1 with its median latency.
"""

import argparse
import json
import os
import statistics
import struct
import time
import zlib

import h5py
import numpy as np


def read_model(path):
    """W and b of each layer; safetensors is a JSON header before the plain numbers."""
    with open(path, "rb") as file:
        n_header = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(n_header))
        body = file.read()

    def tensor(name):
        entry = header[name]
        assert entry["dtype"] == "F32", entry
        begin, end = entry["data_offsets"]
        return np.frombuffer(body[begin:end], "<f4").reshape(entry["shape"]).copy()

    n_layers = sum(name.endswith(WEIGHT) for name in header)
    return [(tensor(f"layers.{l}{WEIGHT}"), tensor(f"layers.{l}{BIAS}").reshape(-1))
            for l in range(n_layers)]


WEIGHT, BIAS = ".weight", ".bias"


def write_png(path, image):
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))

    height, width, _ = image.shape
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n"
                   + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                   + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def numpy_backend(layers, x, threads):
    """The matrix–vector form, workspaces made once."""
    del threads
    x = x.reshape(-1)
    z = [np.empty_like(b) for _, b in layers]

    def run():
        a = x
        for l, (w, b) in enumerate(layers):
            np.dot(w, a, out=z[l])
            z[l] += b
            if l + 1 < len(layers):
                np.maximum(z[l], 0, out=z[l])
            a = z[l]
        return 1 / (1 + np.exp(-a[0]))

    return run, np.__version__


def torch_backend(layers, x, threads):
    import torch
    from torch import nn
    torch.set_num_threads(threads)
    modules = []
    for w, b in layers:
        linear = nn.Linear(w.shape[1], w.shape[0])
        linear.weight.data, linear.bias.data = torch.from_numpy(w), torch.from_numpy(b)
        modules += [linear, nn.ReLU()]
    model = nn.Sequential(*modules[:-1], nn.Sigmoid()).eval()
    x = torch.from_numpy(x)

    def run():
        with torch.inference_mode():
            return model(x)

    return run, torch.__version__


def onnxruntime_backend(layers, x, threads):
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
    nodes, constants, name = [], [], "x"
    for l, (w, b) in enumerate(layers):
        constants += [numpy_helper.from_array(w, f"w{l}"), numpy_helper.from_array(b, f"b{l}")]
        nodes.append(helper.make_node("Gemm", [name, f"w{l}", f"b{l}"], [f"z{l}"], transB=1))
        kind = "Sigmoid" if l + 1 == len(layers) else "Relu"
        name = f"a{l}"
        nodes.append(helper.make_node(kind, [f"z{l}"], [name]))
    value = lambda name, n: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n])
    graph = helper.make_graph(nodes, "network", [value("x", x.shape[1])], [value(name, 1)],
                              constants)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    inputs = {"x": x}
    return lambda: session.run(None, inputs)[0], onnxruntime.__version__


BACKENDS = {"numpy": numpy_backend, "torch": torch_backend, "onnxruntime": onnxruntime_backend}


def latency(run, seconds):
    """Median time of a call, over batches of calls long enough for the clock; None without seconds."""
    if not seconds:
        return None
    for _ in range(200):
        run()
    samples, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        for _ in range(20):
            run()
        samples.append((time.perf_counter() - began) / 20)
    return statistics.median(samples)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True, help="HDF5 file with test_set_x")
    parser.add_argument("--png", help="write the image here")
    parser.add_argument("--backend", choices=BACKENDS, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0)
    args = parser.parse_args()

    with h5py.File(args.data, "r") as file:
        image = file["test_set_x"][0]
    if args.png:
        write_png(args.png, image)
    x = (image.reshape(1, -1).astype(np.float32) / np.float32(255))
    run, version = BACKENDS[args.backend](read_model(args.model), x, args.threads)
    probability = float(np.asarray(run()).reshape(-1)[0])
    print(json.dumps({
        "peer": args.backend,
        "versions": {args.backend: version},
        "probability": probability,
        "latency_seconds": latency(run, args.seconds),
        "cpus": os.cpu_count(),
    }))


main()
