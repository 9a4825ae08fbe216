"""NumPy with the first layer in the coordinates of the training set: W1 = W1⁰ − C·Xᵀ.

Z1 = P − C·G + b1 with G = XᵀX and P = W1⁰·X made once, so that an iteration does not depend on the
number of features. Plain otherwise: no dA0, dZ = A − Y at the output.
"""

import numpy as np

from common import Report, dtype_of, initial_weights, job_parser, read_set


def main():
    job = job_parser(__doc__).parse_args()
    dtype = dtype_of(job)
    images, labels = read_set(job.data, "train")
    x = np.ascontiguousarray(images.T.astype(dtype) / dtype(255))
    y = labels.astype(dtype).reshape(1, -1)
    m = x.shape[1]
    w = initial_weights(job, len(x))
    b = [np.zeros((len(w_l), 1), dtype) for w_l in w]
    lr = dtype(job.lr)

    report = Report("NumPy, Gram form")
    report.start()
    g, p = x.T @ x, w[0] @ x
    c = np.zeros((len(w[0]), m), dtype)

    def forward():
        z = p - c @ g + b[0]
        a = [np.maximum(z, 0)]
        for l in range(1, len(w)):
            z = w[l] @ a[-1] + b[l]
            a.append(np.maximum(z, 0))
        return a, z

    def cost_of(z):
        return np.sum(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))) / m

    for i in range(job.iterations):
        a, z = forward()
        dz = (1 / (1 + np.exp(-z)) - y) / m
        if i % job.log_every == 0:
            report.log(i, cost_of(z))
        for l in range(len(w) - 1, 0, -1):
            dw, db = dz @ a[l - 1].T, dz.sum(axis=1, keepdims=True)
            dz = (w[l].T @ dz) * (a[l - 1] > 0)
            w[l] -= lr * dw
            b[l] -= lr * db
        c += lr * dz
        b[0] -= lr * dz.sum(axis=1, keepdims=True)
        report.step()
    w[0] = w[0] - c @ x.T
    report.stop()
    report.final_cost = cost_of(forward()[1])
    report.emit()


main()
