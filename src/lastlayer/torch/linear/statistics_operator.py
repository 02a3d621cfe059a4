"""`lastlayer::linear_statistics` and its backward, which computes the scores again."""

from __future__ import annotations

from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.activation import Activation
from lastlayer.backends import loss_dtype
from lastlayer.backends.torch.operators.arguments import Arguments
from lastlayer.backends.torch.operators.evaluate import quantity_of_rows
from lastlayer.backends.torch.operators.transforms import differentiable, one_by_one
from lastlayer.backends.torch.records import record_of
from lastlayer.backends.torch.rows import evaluate_rows
from lastlayer.backends.torch.vjp import pull_back_rows
from lastlayer.losses import plain_labels
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.blocks import Accumulator, Block, Wanted, of_rows, scores_of_blocks
from lastlayer.torch.linear.flops import products, register_flops
from lastlayer.torch.linear.plan import block_height

Tensor = torch.Tensor

_HEAD = (
    "Tensor input, Tensor weight, Tensor? bias, Tensor labels, Tensor? parameter, str mapping, int ignore_index, "
    "float temperature, float? softcap, int? max_memory, bool wide_scores"
)
HEAD = Arguments(_HEAD)
_UPSTREAM = ("in_log_prob", "in_entropy", "in_partition")
BACKWARD = Arguments(
    "".join(f"Tensor {name}, " for name in _UPSTREAM)
    + _HEAD
    + ", bool input_wanted, bool weight_wanted, bool bias_wanted"
)
#: Buffers of a block's size that exist at one time: scores, log-probabilities, and terms of the entropy.
_BUFFERS = 3
#: Rows whose formulas, in float64 and with a dozen temporaries, are held at one time in backward.
_FORMULA_ROWS = 32


@torch.library.custom_op(
    "lastlayer::linear_statistics", mutates_args=(), schema=f"({HEAD.schema}) -> (Tensor, Tensor, Tensor, Tensor)"
)
def linear_statistics_operator(*arguments: Any) -> tuple[Tensor, ...]:
    """log p of the label, entropy, Z and argmax, each (N,)."""
    head = HEAD.record(*arguments)
    input, ignore_index = head.input, head.ignore_index
    labels, height = plain_labels(head.labels, ignore_index, xp), _height(head)
    mapping, activation = record_of(head.mapping, head.parameter), Activation(head.temperature, head.softcap)
    dtype = loss_dtype(input, xp)
    log_prob, entropy, partition = (input.new_empty(input.shape[0], dtype=dtype) for _ in range(3))
    argmax = labels.new_empty(input.shape[0], dtype=torch.int64)
    for block in scores_of_blocks(input, head.weight, head.bias, height, is_wide=head.wide_scores):
        place, record = block.place, of_rows(mapping, block.place)
        argmax[place] = block.scores.argmax(1)
        scores = activation(block.scores.to(dtype), xp)
        partition[place] = evaluate_rows(record, scores, "log_partition")
        # The scores are not needed any more: their log-probabilities may replace them.
        logs = evaluate_rows(record, scores, "log_probabilities", scores)
        log_prob[place] = _at_labels(logs, labels[place], ignore_index)
        entropy[place] = _entropy(logs)
    return log_prob, entropy, partition, argmax


def _entropy(logs: Tensor) -> Tensor:
    """−Σ p log p from log p, so that a p that rounds to one keeps its part; 0 · −∞ = 0. Summed in float64."""
    terms = torch.where(logs == -float("inf"), 0.0, torch.exp(logs) * logs)
    return -terms.sum(1, dtype=torch.float64).to(logs.dtype)


def _at_labels(logs: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
    """log p of the labels: 0 where ignored, NaN where out of range, which is never used as an index."""
    classes = logs.shape[1]
    found = logs.gather(1, labels.clamp(0, classes - 1)[:, None])[:, 0]
    found = torch.where((labels < 0) | (labels >= classes), float("nan"), found)
    return torch.where(labels == ignore_index, 0.0, found)


@torch.library.custom_op(
    "lastlayer::linear_statistics_backward",
    mutates_args=(),
    schema=f"({BACKWARD.schema}) -> (Tensor, Tensor, Tensor)",
)
def linear_statistics_backward(*arguments: Any) -> tuple[Tensor, ...]:
    """Gradients of input, weight and bias, empty if not wanted."""
    given = BACKWARD.record(*arguments)
    tensors, ignore_index = (given.input, given.weight, given.bias), given.ignore_index
    labels, height = plain_labels(given.labels, ignore_index, xp), _height(given)
    mapping, activation = record_of(given.mapping, given.parameter), Activation(given.temperature, given.softcap)
    sums = Accumulator(*tensors, _wanted_of(given), height, is_wide=given.wide_scores)
    for block in scores_of_blocks(*tensors, height, tail=lambda: sums.tail, is_wide=given.wide_scores):
        upstream = tuple(getattr(given, name)[block.place][:, None] for name in _UPSTREAM)
        slopes = _slopes(of_rows(mapping, block.place), block, labels[block.place], ignore_index, activation, upstream)
        sums.add(block, slopes)
    return tuple(total.to(x.dtype) if x is not None else total for total, x in zip(sums.finish(), tensors, strict=True))


def _height(head: Any) -> int:
    return block_height(head.input, head.weight, head.max_memory, _BUFFERS, head.wide_scores)


def _wanted_of(given: Any) -> Wanted:
    return Wanted(given.input_wanted, given.weight_wanted, given.bias_wanted)


def _slopes(
    mapping: ProbabilityMapping,
    block: Block,
    labels: Tensor,
    ignore_index: int,
    activation: Activation,
    upstream: tuple[Tensor, ...],
) -> Tensor:
    """The gradient of Σ upstream · statistic in one block's scores, of their dtype."""
    raw = block.scores.to(loss_dtype(block.scores, xp))
    scores, classes = activation(raw, xp), raw.shape[1]
    in_log_prob = torch.where((labels == ignore_index)[:, None], 0.0, upstream[0])
    in_log_prob = torch.where(
        ((labels < 0) | (labels >= classes))[:, None] & (labels != ignore_index)[:, None], float("nan"), in_log_prob
    )
    place = labels.clamp(0, classes - 1)[:, None]
    if mapping.name == "softmax":
        slopes = _of_softmax(mapping, scores, place, in_log_prob, *upstream[1:])
    else:
        slopes = torch.cat(
            [
                _of_formulas(
                    of_rows(mapping, part),
                    scores[part],
                    place[part],
                    in_log_prob[part],
                    *(u[part] for u in upstream[1:]),
                )
                for part in (slice(i, i + _FORMULA_ROWS) for i in range(0, scores.shape[0], _FORMULA_ROWS))
            ]
        )
    pulled: Tensor = activation.pull_back(raw, slopes, xp)
    return pulled.to(block.scores.dtype)


def _of_softmax(
    mapping: ProbabilityMapping,
    scores: Tensor,
    place: Tensor,
    in_log_prob: Tensor,
    in_entropy: Tensor,
    in_partition: Tensor,
) -> Tensor:
    """p · (c − a − b (log p + H)), and a · (1 − p) at the label through expm1, since 1 − p rounds to zero."""
    logs = evaluate_rows(mapping, scores, "log_probabilities")
    p = torch.exp(logs)
    spread = torch.where(p == 0.0, 0.0, in_entropy * (logs + _entropy(logs)[:, None]))
    at_label = logs.gather(1, place)
    slopes = p * (in_partition - in_log_prob - spread)
    at_label_slope = p.gather(1, place) * (in_partition - spread.gather(1, place)) - in_log_prob * torch.expm1(at_label)
    return slopes.scatter_(1, place, at_label_slope)


def _of_formulas(
    mapping: ProbabilityMapping,
    scores: Tensor,
    place: Tensor,
    in_log_prob: Tensor,
    in_entropy: Tensor,
    in_partition: Tensor,
) -> Tensor:
    """The same by the record's vector–Jacobian products: of log p at the label, of p for −Σ p log p, of Z."""
    at_label = torch.zeros_like(scores).scatter_(1, place, in_log_prob.to(scores.dtype))
    slopes = pull_back_rows(mapping, scores, at_label, "log_probabilities")
    logs = evaluate_rows(mapping, scores, "log_probabilities")
    cotangent = torch.where(logs == -float("inf"), 0.0, -in_entropy * (logs + 1.0))
    slopes = slopes + pull_back_rows(mapping, scores, cotangent, "probabilities")
    return slopes + pull_back_rows(mapping, scores, in_partition[:, 0], "log_partition")


@linear_statistics_operator.register_fake
def _(*arguments: Any) -> tuple[Tensor, ...]:
    input = HEAD.record(*arguments).input
    rows, dtype = input.shape[:1], loss_dtype(input, xp)
    return *(input.new_empty(rows, dtype=dtype) for _ in range(3)), input.new_empty(rows, dtype=torch.int64)


@linear_statistics_backward.register_fake
def _(*arguments: Any) -> tuple[Tensor, ...]:
    given = BACKWARD.record(*arguments)
    return tuple(
        x.new_empty(x.shape) if is_wanted and x is not None else given.input.new_empty(0)
        for x, is_wanted in zip((given.input, given.weight, given.bias), _wanted_of(given), strict=True)
    )


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.mark_non_differentiable(output[3])
    tensors, ctx.others = HEAD.split(inputs)
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, *cotangents: Tensor) -> tuple[Any, ...]:
    head, needs = HEAD.join(ctx.saved_tensors, ctx.others), HEAD.record(*ctx.needs_input_grad)
    wanted = (needs.input, needs.weight, needs.bias)
    found = product_of_statistics(*cotangents[: len(_UPSTREAM)], *head, *wanted)
    each = (gradient if is_wanted else None for gradient, is_wanted in zip(found, wanted, strict=True))
    return HEAD.gradients(**dict(zip(("input", "weight", "bias"), each, strict=True)))


def _keep_product(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    tensors, ctx.others = BACKWARD.split(inputs)
    ctx.save_for_backward(*tensors)


def _second(ctx: Any, *cotangents: Tensor) -> tuple[Any, ...]:
    """Second derivatives through the formulas, with the scores stored."""
    given = BACKWARD.join(ctx.saved_tensors, ctx.others)
    parameter, key, ignore_index = given.parameter, given.mapping, given.ignore_index
    activation, labels = Activation(given.temperature, given.softcap), plain_labels(given.labels, ignore_index, xp)

    def total(upstream: tuple[Tensor, ...], *head: Tensor) -> Tensor:
        scores = activation(torch.nn.functional.linear(*(x.double() for x in head)), xp)
        p, logs, partition = (
            quantity_of_rows(scores, parameter, key, quantity)
            for quantity in ("probabilities", "log_probabilities", "log_partition")
        )
        # From the probabilities: a zero adds nothing, and its logarithm has no derivative.
        p = torch.where(p == 0.0, 1.0, p)
        found = (_at_labels(logs, labels, ignore_index), -(p * torch.log(p)).sum(1), partition)
        return sum(((u * s).sum() for u, s in zip(upstream, found, strict=True)), scores.new_zeros(()))

    names = ("input", "weight", *(("bias",) if given.bias is not None else ()))
    wanted = [i for i, is_wanted in enumerate(_wanted_of(given)) if is_wanted]

    def gradients(upstream: tuple[Tensor, ...], *head: Tensor) -> tuple[Tensor, ...]:
        each: tuple[Tensor, ...] = torch.func.grad(total, argnums=tuple(i + 1 for i in wanted))(upstream, *head)
        return each

    upstream = tuple(getattr(given, name) for name in _UPSTREAM)
    pull = torch.func.vjp(gradients, upstream, *(getattr(given, name) for name in names))[1]
    in_upstream, *in_head = pull(tuple(cotangents[i] for i in wanted))
    return BACKWARD.gradients(
        **dict(zip(_UPSTREAM, in_upstream, strict=True)), **dict(zip(names, in_head, strict=True))
    )


head_statistics = differentiable(linear_statistics_operator, _keep, _backward, one_by_one)
product_of_statistics = differentiable(linear_statistics_backward, _keep_product, _second, one_by_one)


def _flops(*arguments: Any) -> int:
    head = HEAD.record(*arguments)
    return products(head.input, head.weight)


def _backward_flops(*arguments: Any) -> int:
    given = BACKWARD.record(*arguments)
    return products(given.input, given.weight, _wanted_of(given)[:2])


register_flops(torch.ops.lastlayer.linear_statistics, _flops)
register_flops(torch.ops.lastlayer.linear_statistics_backward, _backward_flops)
