"""The loss options: as callers give them, and as the loss kernels take them. Every list of options of this folder is here."""

from __future__ import annotations

from typing import NamedTuple

import torch


class LossOptions(NamedTuple):
    """What a loss may be asked for beyond scores and targets, with the defaults that change nothing."""

    #: One weight per class (K,).
    weight: torch.Tensor | None = None
    #: One weight per row (N,).
    sample_weight: torch.Tensor | None = None
    #: The label of rows that do not count.
    ignore_index: int = -100
    label_smoothing: float = 0.0
    #: λ of λ·Z², Z being the log-partition.
    z_loss: float = 0.0
    temperature: float = 1.0
    softcap: float | None = None

    @property
    def is_heavy(self) -> bool:
        """Whether the kernel needs many registers per score: for a target of every class, or the softcap's tanh."""
        return self.label_smoothing != 0.0 or self.softcap is not None

    def for_kernel(self, rows: int, classes: int) -> KernelOptions:
        """The record that the kernels take: None for every option that changes nothing.

        Raises:
            ValueError: weights of another length.
        """
        return KernelOptions(
            weight=_of_length("weight", self.weight, classes),
            sample_weight=_of_length("sample_weight", self.sample_weight, rows),
            ignore_index=self.ignore_index,
            smoothing=Smoothing(1.0 - self.label_smoothing, self.label_smoothing / classes)
            if self.label_smoothing != 0.0
            else Smoothing(None, None),
            z_scale=self.z_loss if self.z_loss != 0.0 else None,
            activation=Activation(self.softcap, self.temperature if self.temperature != 1.0 else None),
        )


class Smoothing(NamedTuple):
    """A smoothed target is y·label_share + uniform_share; both None without smoothing."""

    label_share: float | None
    uniform_share: float | None


class Activation(NamedTuple):
    """Softcap, then temperature."""

    softcap: float | None
    temperature: float | None


class KernelOptions(NamedTuple):
    """One argument of both loss kernels. What is None is known at compile time, and costs nothing there."""

    weight: torch.Tensor | None
    sample_weight: torch.Tensor | None
    ignore_index: int
    smoothing: Smoothing
    #: λ of λ·Z².
    z_scale: float | None
    activation: Activation


def _of_length(name: str, weights: torch.Tensor | None, length: int) -> torch.Tensor | None:
    """One number each, contiguous and in float32."""
    if weights is None:
        return None
    if tuple(weights.shape) != (length,):
        raise ValueError(f"{name} has the shape {tuple(weights.shape)}; it must be ({length},).")
    return weights.to(torch.float32).contiguous()
