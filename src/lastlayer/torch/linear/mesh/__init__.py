"""Heads whose tensors are DTensors: each process calls the head on its parts, and the mesh says who has the same rows or classes."""

from __future__ import annotations

from typing import Any

from lastlayer.torch.linear.mesh.detection import is_on_mesh


def loss_on_mesh(*arguments: Any) -> Any:
    """`linear.mesh.loss.loss_on_mesh`, loaded when the first DTensor comes in."""
    # Imported here: it imports DTensor, which is slow, and which a DTensor's owner has imported already.
    from lastlayer.torch.linear.mesh import loss

    return loss.loss_on_mesh(*arguments)


def statistics_on_mesh(*arguments: Any) -> Any:
    """`linear.mesh.statistics.statistics_on_mesh`, loaded when the first DTensor comes in."""
    from lastlayer.torch.linear.mesh import statistics

    return statistics.statistics_on_mesh(*arguments)


__all__ = ["is_on_mesh", "loss_on_mesh", "statistics_on_mesh"]
