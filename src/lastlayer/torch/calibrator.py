"""A trained network with calibrated probabilities: a calibration map as the last module."""

from __future__ import annotations

import os
from typing import Any, Literal, Self, get_args

import torch

from lastlayer import calibration
from lastlayer.functions.probabilities import log_probabilities, probabilities
from lastlayer.torch.mapping_module import MappingModule

Tensor = torch.Tensor
Output = Literal["probabilities", "log_probabilities", "scores"]
#: The numbers of a map, which are buffers of the module.
_BUFFERS = ("temperature", "weight", "matrix", "bias")


class Calibrator(MappingModule):
    """p = mapping(A x + b) of the scores (logits) x of a network, with A x one of x / T, w ∘ x and W x.

    The network gives scores (n, K), or (n, K, …) with the classes on axis 1 as torch.nn.CrossEntropyLoss has them; or
    probabilities, if the calibrator was fitted to probabilities; or one column (n, 1) or (n,) for two classes, if it was fitted
    to one. Gradients flow to the network. The numbers of the map are buffers: they move with the module, and an optimiser does not
    change them. They have the type of the network's first parameter, but at least float32.

    Halves are computed in float32. The result has the type of the network's scores, and always K classes.

    Args:
        module: the trained network.
        calibrator: the fitted map, `Evaluation.calibrator`, or the one in a calibrator.json by `from_file`.
        output: "probabilities", "log_probabilities", which are exact where probabilities underflow, or "scores": A x + b.
        dim: the class axis of the network's scores; a single row (K,) has its classes on axis 0.

    The state has the numbers of the map, not its form: load it into a module made with the same name and mapping.

    Raises:
        TypeError: an argument is of another type.
        ValueError: `output` is none of the three; in a call, the network gives another number of classes.

    >>> network = torch.nn.Linear(4, 3)
    >>> fitted = calibration.Calibrator("temperature", "softmax", 3, temperature=2.0)
    >>> p = Calibrator(network, fitted)(torch.ones(5, 4))
    >>> p.shape, bool(torch.allclose(p.sum(1), torch.ones(5)))
    (torch.Size([5, 3]), True)
    """

    temperature: Tensor
    weight: Tensor | None
    matrix: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        module: torch.nn.Module,
        calibrator: calibration.Calibrator,
        *,
        output: Output = "probabilities",
        dim: int = 1,
    ) -> None:
        if not isinstance(module, torch.nn.Module):
            raise TypeError(f"module is {type(module).__name__}; give the trained network, a torch.nn.Module.")
        if not isinstance(calibrator, calibration.Calibrator):
            raise TypeError(
                f"calibrator is {type(calibrator).__name__}; give a lastlayer.calibration.Calibrator, or call "
                "Calibrator.from_file with the path of a calibrator.json."
            )
        if output not in get_args(Output):
            raise ValueError(f"output is {output!r}; give one of {', '.join(get_args(Output))}.")
        super().__init__(calibrator.mapping)
        self.module = module
        self.output, self.dim = output, dim
        self.name, self.n_classes, self.kind = calibrator.name, calibrator.n_classes, calibrator.kind
        self.is_one_column, self.floor = calibrator.is_one_column, calibrator.floor
        first = next((each for each in module.parameters() if each.is_floating_point()), torch.empty(0))
        dtype = torch.promote_types(first.dtype, torch.float32)
        # What a map does not have is no buffer of None: before another buffer it makes torch.export fail.
        for name in _BUFFERS:
            value = getattr(calibrator, name)
            self.hold(name, None if value is None else torch.as_tensor(value, dtype=dtype, device=first.device))

    @classmethod
    def from_file(cls, module: torch.nn.Module, path: str | os.PathLike[str], **options: Any) -> Self:
        """The network with the map of a calibrator.json; options as for the class.

        Raises:
            OSError: the file cannot be read.
            ValueError: the file is damaged.
        """
        return cls(module, calibration.Calibrator.read(path), **options)

    def forward(self, *inputs: Any, **options: Any) -> Tensor:
        """Calibrated probabilities, log-probabilities or scores of what the network gives for these inputs."""
        given = self.module(*inputs, **options)
        # Halves have too few digits for a sum of K terms; the result has the network's type again.
        x = given.to(torch.promote_types(given.dtype, torch.float32))
        x = self._transform(self._scores(self._with_classes_last(x)))
        if self.output != "scores":
            compute = probabilities if self.output == "probabilities" else log_probabilities
            x = compute(x, mapping=self.mapping, axis=-1, on_domain="nan")
        return x.to(given.dtype) if given.ndim == 1 else x.to(given.dtype).movedim(-1, self.dim)

    def _with_classes_last(self, x: Tensor) -> Tensor:
        """(…, K), or (…, 1) for one column."""
        if x.ndim > 1:
            x = x.movedim(self.dim, -1)
        elif self.is_one_column:
            # A vector is one column of rows.
            x = x.unsqueeze(-1)
        expected = 1 if self.is_one_column else self.n_classes
        if x.shape[-1] != expected:
            raise ValueError(
                f"The network gives {x.shape[-1]} columns on axis {self.dim}, and the calibrator was fitted to {expected}; give the "
                "same columns in the same order, or name the class axis by dim."
            )
        return x

    def _scores(self, x: Tensor) -> Tensor:
        """The scores (…, K) that the map was fitted to: the numbers, log p, or those of one column."""
        if self.kind == "scores":
            return torch.cat([torch.zeros_like(x), x], dim=-1) if self.is_one_column else x
        # A floor of float64 scores may be below the least float32.
        floor = max(self.floor, torch.finfo(x.dtype).tiny) if self.floor else 0.0
        if not self.is_one_column:
            return x.clamp(min=floor).log()
        # log(1 − p) by log1p: 1 − p is rounded where p is small.
        least = torch.tensor(floor, dtype=x.dtype, device=x.device).log()
        return torch.cat([torch.maximum((-x).log1p(), least), x.clamp(min=floor).log()], dim=-1)

    def _transform(self, x: Tensor) -> Tensor:
        """A x + b of scores (…, K)."""
        if self.matrix is not None:
            x = x @ self.matrix.to(x.dtype).T
        elif self.weight is not None:
            x = x * self.weight.to(x.dtype)
        else:
            x = x / self.temperature.to(x.dtype)
        return x if self.bias is None else x + self.bias.to(x.dtype)

    def extra_repr(self) -> str:
        """The map, as `print(model)` shows it."""
        number = f", temperature={float(self.temperature):g}" if self.matrix is None and self.weight is None else ""
        return f"name={self.name!r}, mapping={self.mapping.label!r}{number}, output={self.output!r}"
