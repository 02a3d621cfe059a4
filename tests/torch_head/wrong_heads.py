"""Heads with one fault each: every case of `check_head` must find the one that is named after it."""

from __future__ import annotations

import torch
import torch.nn.functional as F

Tensor = torch.Tensor


def right(input, weight, labels, *, bias=None, reduction="mean", ignore_index=-100, label_smoothing=0.0):
    """A head without a fault: the rows that count, gathered first."""
    labels = labels.long()
    counted = (labels != ignore_index).nonzero()[:, 0]
    losses = F.cross_entropy(
        F.linear(input[counted], weight, bias), labels[counted], reduction="none", label_smoothing=label_smoothing
    )
    if reduction == "none":
        return losses.new_zeros(len(labels)).index_copy(0, counted, losses)
    return losses.sum() / (max(1, len(counted)) if reduction == "mean" else 1)


def by_log_probabilities(logarithms, labels, reduction="mean"):
    """The loss from log-probabilities of every row, ignored ones given 0."""
    counted = labels != -100
    losses = -logarithms.gather(1, labels.long().clamp(min=0)[:, None])[:, 0]
    losses = torch.where(counted, losses, 0.0)
    return losses if reduction == "none" else losses.sum() / (counted.sum() if reduction == "mean" else 1)


class WithGradients(torch.autograd.Function):
    """A loss whose gradients were computed in forward, and how upstream is applied to them."""

    @staticmethod
    def forward(ctx, input, weight, labels, apply, options):
        with torch.enable_grad():
            leaves = [x.detach().clone().requires_grad_() for x in (input, weight)]
            loss = right(*leaves, labels, **options)
            ctx.kept = torch.autograd.grad(loss.sum(), leaves)
        ctx.apply = apply
        return loss.detach()

    @staticmethod
    def backward(ctx, upstream):
        return *ctx.apply(ctx.kept, upstream), None, None, None


def precomputed(apply):
    def head(input, weight, labels, **options):
        return WithGradients.apply(input, weight, labels, apply, options)

    return head


def in_place(kept, upstream):
    return [gradient.mul_(upstream) for gradient in kept]


def slightly_wrong(input, weight, labels, **options):
    return right(input + 0.01 * (input - input.detach()), weight, labels, **options)


def divided_sum(input, weight, labels, reduction="mean", **options):
    return right(input, weight, labels, reduction="mean", **options)


def one_upstream(input, weight, labels, reduction="mean", **options):
    total = right(input, weight, labels, reduction="none", **options)
    if reduction != "none":
        return right(input, weight, labels, reduction=reduction, **options)
    return total.detach() + (total.sum() - total.sum().detach()) * F.one_hot(torch.tensor(0), len(total))


def no_bias(input, weight, labels, *, bias=None, **options):
    return right(input, weight, labels, **options) + (0.0 if bias is None else 0.0 * bias.sum())


def masked_by_zero(input, weight, labels, *, bias=None, reduction="mean", ignore_index=-100, **options):
    losses = F.cross_entropy(F.linear(input, weight, bias), labels.long().clamp(min=0), reduction="none", **options)
    counted = (labels != ignore_index).to(losses)
    return losses * counted if reduction == "none" else (losses * counted).sum() / counted.sum()


def built_in_ignore_index(input, weight, labels, ignore_index=-100, **options):
    return right(input, weight, labels, **options)


def smoothing_of_all(input, weight, labels, *, label_smoothing=0.0, **options):
    uniform = -F.log_softmax(F.linear(input, weight), -1).mean(-1).mean()
    return (1 - label_smoothing) * right(input, weight, labels, **options) + label_smoothing * uniform


def without_maximum(input, weight, labels, *, bias=None, reduction="mean", **options):
    scores = F.linear(input, weight, bias)
    return by_log_probabilities(scores - scores.exp().sum(-1, keepdim=True).log(), labels, reduction)


def times_masked(input, weight, labels, *, bias=None, **options):
    scores = F.linear(input, weight, bias)
    return right(input, weight, labels, bias=bias, **options) + (scores.softmax(-1) * scores).sum() * 0.0


def only_with_weight(input, weight, labels, **options):
    kept = input if weight.requires_grad else input.detach() + 0.0 * input
    return right(kept, weight, labels, **options)


def gradient_in_forward(input, weight, labels, **options):
    loss = right(input, weight, labels, **options)
    torch.autograd.grad(loss.sum(), input, retain_graph=True)
    return loss


def whole_blocks_only(input, weight, labels, *, reduction="mean", **options):
    scores = F.linear(input, weight)
    whole = max(64, scores.shape[1] // 64 * 64)
    return by_log_probabilities(scores - scores[:, :whole].logsumexp(-1, keepdim=True), labels, reduction)


def sixteen_bit_rows(input, weight, labels, **options):
    return right(input[:65535], weight, labels[:65535], **options)


def narrow_comparison(input, weight, labels, **options):
    info = torch.iinfo(labels.dtype)
    wrapped = (-100 - info.min) % (info.max - info.min + 1) + info.min
    return right(input, weight, torch.where(labels == wrapped, -100, labels.long()), **options)


def as_if_contiguous(input, weight, labels, **options):
    read = torch.as_strided(input, input.shape, (input.shape[1], 1))
    return right(read, weight, labels, **options)


def overwriting(input, weight, labels, **options):
    loss = right(input, weight, labels, **options)
    input.data = input.data.clone()
    weight.detach().numpy()[0, 0] += 1.0
    return loss


SHARED: dict[str, Tensor] = {}


class Shared(torch.autograd.Function):
    """Keeps its gradients in one place for all calls."""

    @staticmethod
    def forward(ctx, input, weight, labels):
        with torch.enable_grad():
            leaves = [x.detach().clone().requires_grad_() for x in (input, weight)]
            loss = right(*leaves, labels)
            SHARED["input"], SHARED["weight"] = torch.autograd.grad(loss, leaves)
        ctx.rows = len(input)
        return loss.detach()

    @staticmethod
    def backward(ctx, upstream):
        return SHARED["input"][: ctx.rows] * upstream, SHARED["weight"] * upstream, None


def average_of_none(input, weight, labels, **options):
    return right(input, weight, labels, **options) * (len(labels) / len(labels))


#: By the name of the case that must find it.
WRONG = {
    "loss and gradients": slightly_wrong,
    "upstream factor": precomputed(lambda kept, upstream: kept),
    "sum": divided_sum,
    "loss per row": one_upstream,
    "bias": no_bias,
    "ignored rows with NaN": masked_by_zero,
    "upstream infinity on ignored rows": masked_by_zero,
    "every row ignored": masked_by_zero,
    "other ignore_index": built_in_ignore_index,
    "smoothing with ignored rows": smoothing_of_all,
    "common offset": without_maximum,
    "large scores": without_maximum,
    "masked classes": times_masked,
    "kept graph": precomputed(in_place),
    "frozen parts": only_with_weight,
    "frozen parts with a bias": only_with_weight,
    "no gradient at all": gradient_in_forward,
    "label in the last slice": whole_blocks_only,
    "many rows": sixteen_bit_rows,
    "small integer labels": narrow_comparison,
    "strided arguments": as_if_contiguous,
    "arguments unchanged": overwriting,
    "two calls": Shared.apply,
    "no rows": average_of_none,
}
