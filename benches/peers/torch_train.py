"""PyTorch on the CPU: nn.Sequential, a loss from logits, torch.optim.

`--variant` is eager (one tensor after another in the optimizer), foreach, fused (both the
optimizer's), or compiled (torch.compile of the model, fused optimizer).
"""

import torch
from torch import nn

from common import Report, initial_weights, job_parser, read_set


def build(job, weights):
    layers = []
    for w in weights:
        linear = nn.utils.skip_init(nn.Linear, w.shape[1], w.shape[0],
                                    dtype=torch.from_numpy(w).dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(w))
            linear.bias.zero_()
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def optimizer_of(job, model):
    how = {"foreach": job.variant == "foreach", "fused": job.variant in ("fused", "compiled")}
    if how["fused"]:
        how["foreach"] = None
    kind = torch.optim.Adam if job.optimizer == "adam" else torch.optim.SGD
    return kind(model.parameters(), lr=job.lr, **how)


def main():
    job = job_parser(__doc__).parse_args()
    torch.set_num_threads(job.threads)
    dtype = {"f32": torch.float32, "f64": torch.float64}[job.dtype]

    def load(path, prefix):
        images, labels = read_set(path, prefix)
        x = torch.from_numpy(images).to(dtype).div_(255)
        y = torch.from_numpy(labels)
        return x, (y.to(dtype).unsqueeze(1) if job.classes == 2 else y)

    x, y = load(job.data, "train")
    model = build(job, initial_weights(job, x.shape[1]))
    loss_of = nn.BCEWithLogitsLoss() if job.classes == 2 else nn.CrossEntropyLoss()
    optimizer = optimizer_of(job, model)
    forward = torch.compile(model) if job.variant == "compiled" else model

    # The first call makes workspaces, or compiles: not part of training.
    n_batch = job.batch_size or len(x)
    loss_of(forward(x[:n_batch]), y[:n_batch]).backward()
    if len(x) % n_batch:
        loss_of(forward(x[:len(x) % n_batch]), y[:len(x) % n_batch]).backward()
    optimizer.zero_grad()

    def update(x, y, iteration):
        loss = loss_of(forward(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if iteration % job.log_every == 0:
            report.log(iteration, loss.item())
        report.step()

    report = Report(f"PyTorch, {job.variant}", versions={"torch": torch.__version__})
    report.start()
    if job.batch_size:
        order = torch.Generator().manual_seed(job.seed)
        iteration = 0
        for _ in range(job.epochs):
            for chosen in torch.randperm(len(x), generator=order).split(job.batch_size):
                update(x[chosen], y[chosen], iteration)
                iteration += 1
    else:
        for iteration in range(job.iterations):
            update(x, y, iteration)
    report.stop()

    def accuracy(x, y):
        with torch.no_grad():
            z = model(x)
        right = ((z > 0) == (y > 0.5)) if job.classes == 2 else z.argmax(1) == y
        return right.double().mean().item()

    with torch.no_grad():
        report.final_cost = loss_of(model(x), y).item()
    report.accuracy["train"] = accuracy(x, y)
    if job.test_data:
        report.accuracy["test"] = accuracy(*load(job.test_data, "test"))
    if job.save:
        torch.save(model.state_dict(), job.save)
    report.emit()


main()
