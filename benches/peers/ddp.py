"""One step of data-parallel training in PyTorch over gloo: the peer of `dnn-mpi train`.

    torchrun --nproc-per-node 2 benches/peers/ddp.py --layers 3072,4096,4096,10 --batch 1024 --steps 6

Each rank has one thread and its share of each batch of drawn numbers; SGD. Prints the least and the median time of a
step in milliseconds, on rank 0.
"""

import argparse
import statistics
import time

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", default="3072,4096,4096,10")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=6)
    args = parser.parse_args()
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    ranks = dist.get_world_size()
    torch.manual_seed(1)
    sizes = [int(size) for size in args.layers.split(",")]
    layers: list[torch.nn.Module] = []
    for before, size in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(before, size), torch.nn.ReLU()]
    model = DistributedDataParallel(torch.nn.Sequential(*layers[:-1]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x = torch.rand(args.batch // ranks, sizes[0])
    y = torch.randint(sizes[-1], (args.batch // ranks,))
    times = []
    for _ in range(args.steps + 1):
        dist.barrier()
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        dist.barrier()
        times.append(1e3 * (time.perf_counter() - start))
    if dist.get_rank() == 0:
        least, median = min(times[1:]), statistics.median(times[1:])
        print(f"DDP gloo, {ranks} ranks: least {least:.1f} ms, median {median:.1f} ms a step")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
