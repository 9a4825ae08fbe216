"""Runs examples through a graph with onnxruntime.

python3 check.py GRAPH FOLDER: FOLDER has `examples.json` (what the graph takes, and the shape of each
example), `examples.bin` (their numbers) and `pixels_output.bin` (bytes that, appended to the graph's,
make the prepared pixels an output); `probabilities.bin` (f64) and `pixels.bin` are written into it.
"""
import json
import os
import sys

import numpy as np
import onnxruntime

graph, folder = sys.argv[1:]
os.chdir(folder)
with open("examples.json") as file:
    examples = json.load(file)
with open(graph, "rb") as file, open("pixels_output.bin", "rb") as output:
    graph_bytes = file.read() + output.read()
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
# Where weights in a file of their own are looked for.
options.add_session_config_entry(
    "session.model_external_initializers_file_folder_path", os.path.dirname(graph)
)
session = onnxruntime.InferenceSession(graph_bytes, options, providers=["CPUExecutionProvider"])
numbers = np.fromfile("examples.bin", dtype=examples["dtype"])

shapes, at = examples["shapes"], 0
with open("probabilities.bin", "wb") as probabilities, open("pixels.bin", "wb") as pixels:
    while shapes:
        # Examples of one shape that follow each other are a batch.
        n = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), len(shapes))
        batch = numbers[at : at + n * int(np.prod(shapes[0]))].reshape(n, *shapes[0])
        at, shapes = at + batch.size, shapes[n:]
        outputs = session.run(None, {session.get_inputs()[0].name: batch})
        outputs[0].astype(np.float64).tofile(probabilities)
        if len(outputs) > 1:
            outputs[1].tofile(pixels)
print(onnxruntime.__version__)
