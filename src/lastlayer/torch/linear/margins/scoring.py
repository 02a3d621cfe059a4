"""`normalize`, `scale`, `margin` and `class_prior` of a head: what they do to its tensors, and to the scores at the labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from lastlayer.arguments import as_number, describe
from lastlayer.functions.scores import is_eager
from lastlayer.torch.linear.arguments import Head, check_head_tensors, per_row, refuse_gradients
from lastlayer.torch.linear.margins.label_cosines import angle_between, is_class, label_cosines, value_and_factors
from lastlayer.torch.linear.margins.margin import Margin, read_margin
from lastlayer.torch.linear.margins.unit_rows import chunks, unit_rows
from lastlayer.torch.linear.row_factors import over, times

Tensor = torch.Tensor


@dataclass(frozen=True)
class Scoring:
    """How scores come from input and weight: h · w, or scale · cos(h, w); with a margin at the label, plus log π of a class prior."""

    normalize: bool
    scale: float | Tensor
    margin: Margin | None
    class_prior: Tensor | None

    def rows(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """Input and weight of the product: scale · h / ‖h‖ and w / ‖w‖ if they are normalized.

        Raises:
            TypeError, ValueError: what `prepare_head` refuses.
        """
        if not self.normalize:
            return input, weight
        check_head_tensors(input, weight, bias, may_be_empty=True)
        scaled = times(unit_rows(input, is_wide=True), self.scale)
        return scaled.to(input.dtype), unit_rows(weight)

    def check_targets(self, is_soft: bool) -> None:
        """Raise TypeError for soft targets with a margin."""
        if self.margin is not None and is_soft:
            raise TypeError(
                "margin needs labels, since it lowers the score of one class per row; targets are soft: leave out the margin."
            )

    def prior_of(self, classes: int) -> Tensor | None:
        """The class prior (K,) in float64, not yet divided by its sum.

        Raises:
            TypeError: no tensor, or one that requires a gradient.
            ValueError: another shape.
        """
        prior = self.class_prior
        if prior is None:
            return None
        if not isinstance(prior, torch.Tensor) or prior.dtype.is_complex or prior.dtype == torch.bool:
            raise TypeError(f"class_prior is {describe(prior)}; give a tensor of one positive number per class.")
        refuse_gradients(class_prior=prior)
        if prior.shape != (classes,):
            raise ValueError(f"class_prior has shape {tuple(prior.shape)}; give one number per class, ({classes},).")
        return prior.double()

    def check_prior_of(self, classes: int) -> None:
        """Raise TypeError or ValueError for a class prior that `log_prior` refuses."""
        prior = self.prior_of(classes)
        if prior is not None and classes and is_eager(prior):
            check_prior(prior.amin(), prior.sum())

    def log_prior(self, classes: int) -> Tensor | None:
        """log π in float64, of all classes.

        Raises:
            ValueError: an entry that is not positive and finite (on the CPU; elsewhere it makes scores infinite or NaN).
        """
        self.check_prior_of(classes)
        prior = self.prior_of(classes)
        return None if prior is None else prior.log() - prior.sum().log()

    def at_labels(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        labels: Tensor,
        divisor: Tensor | None,
        log_prior: Tensor | None,
    ) -> Tensor | None:
        """The scores (N,) at the labels, float64, from the head's tensors as they were given; None without a margin.

        Args:
            divisor: a temperature that the product's scores are divided by already, one number per row.
            log_prior: temperature · log π, (K,).
        """
        if self.margin is None:
            return None
        wanted = [x.requires_grad and torch.is_grad_enabled() for x in (input, weight)]
        rows, classes = input.reshape(labels.shape[0], input.shape[-1]), weight.shape[0]
        found = times(label_cosines(rows, weight, labels, self.margin.kind, self.margin.size, *wanted), self.scale)
        if not classes:
            return found
        index = labels.clamp(0, classes - 1)
        if bias is not None:
            # In float64, so that the gradients of many rows with the same label are added before they are rounded.
            found = found + bias.double()[index]
        if divisor is not None:
            found = over(found, divisor)
        if log_prior is not None:
            found = found + log_prior[index]
        return torch.where(is_class(labels, classes), found, 0.0)

    def directions(self, input: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, head: Head) -> Tensor:
        """The gradient (N, features of the head) of each score at a label in the head's input, 0 where the label is not here.

        The score is a function of degree 1 of the head's input, scale · h / ‖h‖ / temperature: so scale and temperature get their
        gradients through it as well, and one sum over processes serves them all. If the head's input has one feature more, its weight
        is the bias.
        """
        assert self.margin is not None
        classes, features = weight.shape
        found = head.input.new_zeros(head.input.shape, dtype=torch.promote_types(input.dtype, torch.float32))
        rows = input.detach().reshape(found.shape[0], features)
        for place in chunks(rows) if classes and features else ():
            index = labels[place].clamp(0, classes - 1)
            angle = angle_between(rows[place].double(), weight.detach()[index].double())
            value, factor = value_and_factors(self.margin, angle)
            each = value * angle.input + factor * angle.residual
            if bias is not None and found.shape[1] > features:
                each = torch.cat([each, bias.detach().double()[index, None]], 1)
            found[place, : each.shape[1]] = torch.where(is_class(labels[place], classes)[:, None], each, 0.0).to(
                found.dtype
            )
        return found

    def facts(self) -> dict[str, object]:
        """What must be the same on every process, in words."""
        scale = float(self.scale.detach()) if isinstance(self.scale, torch.Tensor) else self.scale
        return {
            "normalize": self.normalize,
            "scale": scale,
            "margin": self.margin and tuple(self.margin),
            "class_prior": self.class_prior is not None,
        }


def with_prior(head: Head, log_prior: Tensor | None, is_wide: bool) -> Head:
    """The head with (temperature ·) log π added to its bias, which has the dtype of the scores."""
    if log_prior is None:
        return head
    dtype = torch.float32 if is_wide else head.weight.dtype
    bias = log_prior if head.bias is None else head.bias + log_prior
    return head._replace(bias=bias.to(dtype))


def divisor_of(head: Head, before: Head, temperature: Any) -> Tensor | None:
    """The temperature of each row if `head` has been made from `before` by dividing by it."""
    return None if head is before else per_row("temperature", temperature, before)


def check_prior(least: Tensor, total: Tensor) -> None:
    """Raise ValueError for a prior whose smallest entry is not positive, or whose sum is not finite."""
    if not bool((least > 0) & total.isfinite()):
        raise ValueError(
            f"class_prior has the smallest entry {float(least):g} and the sum {float(total):g}; give positive finite numbers, such as "
            "the counts of the classes plus one."
        )


def read_scoring(
    normalize: Any = False, scale: Any = None, margin: Any = None, class_prior: Any = None, softcap: Any = None
) -> Scoring:
    """The options of the score side, checked as far as they need no tensor of the head.

    Raises:
        TypeError: an option of another type.
        ValueError: an option outside its range, or without another that it needs.
    """
    if not isinstance(normalize, bool):
        raise TypeError(f"normalize is {describe(normalize)}; give True or False.")
    if not normalize:
        for name, value in (("scale", scale), ("margin", margin)):
            if value is not None:
                raise ValueError(
                    f"{name} is {describe(value)} without normalize; it belongs to cosines: give normalize=True as well."
                )
    if class_prior is not None and softcap is not None:
        raise ValueError(
            "class_prior is given together with a softcap: the logarithm of the prior belongs after the softcap, but a head adds it "
            "before; leave out one of the two."
        )
    return Scoring(normalize, _read_scale(scale), read_margin(margin), class_prior)


def _read_scale(scale: Any) -> float | Tensor:
    if scale is None:
        return 1.0
    if not isinstance(scale, torch.Tensor):
        number = float(as_number("scale", scale))
        if not 0.0 < number < math.inf:
            raise ValueError(f"scale is {number}; give a positive finite number.")
        return number
    if scale.numel() != 1 or not scale.dtype.is_floating_point:
        raise ValueError(f"scale is {describe(scale)}; give a number, or a tensor of one floating-point number.")
    if is_eager(scale) and not bool((scale > 0) & scale.isfinite()):
        raise ValueError(f"scale is {float(scale.detach())}; give a positive finite number.")
    # Where the value cannot be read, one outside its range makes every score NaN.
    known = scale if is_eager(scale) else torch.where((scale > 0) & scale.isfinite(), scale, float("nan"))
    return known.reshape(())
