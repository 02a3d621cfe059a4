"""A linear head whose classes lie on several processes: each one holds a slice of the weight, none has the scores of a row.

    torchrun --nproc-per-node 2 examples/head_in_slices.py

Every process has the same rows. After a few steps of gradient descent the loss is compared with that of the whole head, which
each process trains in addition to its slice.
"""

from __future__ import annotations

import torch
import torch.distributed as dist

from lastlayer.torch import LinearLoss, linear_loss

CLASSES, FEATURES, ROWS = 1000, 16, 64


def main() -> None:
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)
    rows, labels = torch.randn(ROWS, FEATURES), torch.randint(CLASSES, (ROWS,))
    weight = torch.randn(CLASSES, FEATURES)
    # Slices may be uneven; here the last one is the smallest.
    mine = weight.chunk(size)[rank]

    head = LinearLoss(FEATURES, len(mine), bias=False, group=dist.group.WORLD)
    head.weight.data.copy_(mine)
    whole = weight.clone().requires_grad_()
    for _ in range(5):
        loss, plain = head(rows, labels), linear_loss(rows, whole, labels)
        for parameter, value in ((head.weight, loss), (whole, plain)):
            (gradient,) = torch.autograd.grad(value, parameter)
            parameter.data -= 5.0 * gradient
    found = head.statistics(rows, labels)
    if rank == 0:
        print(f"{size} processes, {len(mine)} of {CLASSES} classes on this one")
        print(f"loss of the slices {float(loss.detach()):.6f}, of the whole head {float(plain.detach()):.6f}")
        print(f"mean entropy {float(found.entropy.detach().mean()):.4f}")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
