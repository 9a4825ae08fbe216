"""NumPy in the course's order: forward with caches, cost, backward, update, one function each.

Nothing is left out and nothing reordered: dA0, which nobody reads, is computed as the course does.
"""

import numpy as np

from common import Report, dtype_of, initial_weights, job_parser, read_set


def relu(z):
    return np.maximum(0, z), z


def sigmoid(z):
    return 1 / (1 + np.exp(-z)), z


def relu_backward(da, z):
    dz = np.array(da, copy=True)
    dz[z <= 0] = 0
    return dz


def sigmoid_backward(da, z):
    s = 1 / (1 + np.exp(-z))
    return da * s * (1 - s)


def linear_activation_forward(a_prev, w, b, activation):
    z = np.dot(w, a_prev) + b
    a, activation_cache = activation(z)
    return a, ((a_prev, w, b), activation_cache)


def model_forward(x, parameters):
    caches = []
    a = x
    n_layers = len(parameters) // 2
    for l in range(1, n_layers + 1):
        activation = sigmoid if l == n_layers else relu
        a, cache = linear_activation_forward(
            a, parameters[f"W{l}"], parameters[f"b{l}"], activation)
        caches.append(cache)
    return a, caches


def compute_cost(al, y):
    m = y.shape[1]
    cost = (1.0 / m) * (-np.dot(y, np.log(al).T) - np.dot(1 - y, np.log(1 - al).T))
    return np.squeeze(cost)


def linear_activation_backward(da, cache, backward):
    (a_prev, w, _), z = cache
    dz = backward(da, z)
    m = a_prev.shape[1]
    dw = np.dot(dz, a_prev.T) / m
    db = np.sum(dz, axis=1, keepdims=True) / m
    da_prev = np.dot(w.T, dz)
    return da_prev, dw, db


def model_backward(al, y, caches):
    grads = {}
    da = -(np.divide(y, al) - np.divide(1 - y, 1 - al))
    for l in range(len(caches), 0, -1):
        backward = sigmoid_backward if l == len(caches) else relu_backward
        da, grads[f"dW{l}"], grads[f"db{l}"] = linear_activation_backward(
            da, caches[l - 1], backward)
    return grads


def update_parameters(parameters, grads, learning_rate):
    for l in range(1, len(parameters) // 2 + 1):
        parameters[f"W{l}"] = parameters[f"W{l}"] - learning_rate * grads[f"dW{l}"]
        parameters[f"b{l}"] = parameters[f"b{l}"] - learning_rate * grads[f"db{l}"]
    return parameters


def main():
    job = job_parser(__doc__).parse_args()
    dtype = dtype_of(job)
    images, labels = read_set(job.data, "train")
    x = np.ascontiguousarray(images.T.astype(dtype) / dtype(255))
    y = labels.astype(dtype).reshape(1, -1)
    parameters = {}
    for l, w in enumerate(initial_weights(job, len(x)), start=1):
        parameters[f"W{l}"] = w
        parameters[f"b{l}"] = np.zeros((len(w), 1), dtype)

    report = Report("NumPy, textbook order")
    report.start()
    for i in range(job.iterations):
        al, caches = model_forward(x, parameters)
        cost = compute_cost(al, y)
        grads = model_backward(al, y, caches)
        parameters = update_parameters(parameters, grads, job.lr)
        if i % job.log_every == 0:
            report.log(i, cost)
        report.step()
    report.stop()
    report.final_cost = compute_cost(model_forward(x, parameters)[0], y)
    report.emit()


main()
