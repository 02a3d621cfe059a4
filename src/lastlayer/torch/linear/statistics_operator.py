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
from lastlayer.backends.torch.softmax_rows import row_slopes, row_sums
from lastlayer.backends.torch.vjp import pull_back_rows
from lastlayer.losses import LossOptions, plain_labels
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.blocks import Accumulator, Block, Wanted, of_rows, rows_that_count, scores_of_blocks
from lastlayer.torch.linear.flops import products, register_flops
from lastlayer.torch.linear.plan import block_height
from lastlayer.torch.linear.scaling import Upstream
from lastlayer.torch.linear.softmax_statistics import is_out_of_range, slopes_of_statistics, statistics_of_sums

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
#: Buffers of a block's size that exist at one time without kernels for softmax: scores, log-probabilities, terms of the entropy.
_BUFFERS = 3
#: Rows, and scores, whose formulas in float64 and with a dozen temporaries are held at one time in backward.
_FORMULA_ROWS, _FORMULA_SCORES = 32, 2**19


@torch.library.custom_op(
    "lastlayer::linear_statistics", mutates_args=(), schema=f"({HEAD.schema}) -> (Tensor, Tensor, Tensor, Tensor)"
)
def linear_statistics_operator(*arguments: Any) -> tuple[Tensor, ...]:
    """log p of the label, entropy, Z and argmax, each (N,); 0, 0, 0 and −1 in ignored rows."""
    head = HEAD.record(*arguments)
    input, ignore_index = head.input, head.ignore_index
    labels, mapping = plain_labels(head.labels, ignore_index, xp), record_of(head.mapping, head.parameter)
    activation, dtype, rows = Activation(head.temperature, head.softcap), loss_dtype(input, xp), _visited(labels, head)
    found = [input.new_zeros(input.shape[0], dtype=dtype) for _ in range(3)]
    argmax = torch.full_like(labels, -1)
    for block in scores_of_blocks(
        input, head.weight, head.bias, _height(head, mapping), rows, is_wide=head.wide_scores
    ):
        place, some = block.place, labels[block.place]
        is_ignored = some == ignore_index
        if is_softmax(mapping):
            sums = row_sums(block.scores, some, activation)
            *values, first = *statistics_of_sums(sums, some, block.scores.shape[1]), sums.argmax
        else:
            *values, first = _by_formulas(of_rows(mapping, place), block.scores, some, activation, dtype)
        argmax[place] = torch.where(is_ignored, -1, first)
        for statistic, value in zip(found, values, strict=True):
            statistic[place] = torch.where(is_ignored, 0.0, value).to(dtype)
    return *found, argmax


def is_softmax(mapping: ProbabilityMapping) -> bool:
    """Whether the kernels for softmax compute the mapping's statistics."""
    return mapping.is_built_in and mapping.name == "softmax"


def _visited(labels: Tensor, head: Any) -> Tensor | None:
    """The rows whose scores are computed; None for all."""
    return rows_that_count(labels, False, LossOptions(ignore_index=head.ignore_index), "normalized")


def _by_formulas(
    mapping: ProbabilityMapping, raw: Tensor, labels: Tensor, activation: Activation, dtype: torch.dtype
) -> tuple[Tensor, ...]:
    """log p of the label, entropy, Z and argmax by the mapping's log-probabilities."""
    first = raw.argmax(1)
    scores = activation(raw.to(dtype), xp)
    partition = evaluate_rows(mapping, scores, "log_partition")
    # The scores are not needed any more: their log-probabilities may replace them.
    logs = evaluate_rows(mapping, scores, "log_probabilities", scores)
    # Rounded probabilities may sum to more than one, and log p of one of them may be above 0.
    return _at_labels(logs, labels).clamp(max=0.0), _entropy(logs).clamp(min=0.0), partition, first


def _entropy(logs: Tensor) -> Tensor:
    """−Σ p log p from log p, so that a p that rounds to one keeps its part; 0 · −∞ = 0. Summed in float64."""
    terms = torch.where(logs == -float("inf"), 0.0, torch.exp(logs) * logs)
    return -terms.sum(1, dtype=torch.float64).to(logs.dtype)


def _at_labels(logs: Tensor, labels: Tensor) -> Tensor:
    """log p of the labels: NaN where out of range, which is never used as an index."""
    classes = logs.shape[1]
    found = logs.gather(1, labels.clamp(0, classes - 1)[:, None])[:, 0]
    return torch.where(is_out_of_range(labels, classes), float("nan"), found)


@torch.library.custom_op(
    "lastlayer::linear_statistics_backward",
    mutates_args=(),
    schema=f"({BACKWARD.schema}) -> (Tensor, Tensor, Tensor)",
)
def linear_statistics_backward(*arguments: Any) -> tuple[Tensor, ...]:
    """Gradients of input, weight and bias, empty if not wanted."""
    given = BACKWARD.record(*arguments)
    tensors, ignore_index = (given.input, given.weight, given.bias), given.ignore_index
    labels, mapping = plain_labels(given.labels, ignore_index, xp), record_of(given.mapping, given.parameter)
    activation, height, rows = (
        Activation(given.temperature, given.softcap),
        _height(given, mapping),
        _visited(labels, given),
    )
    arriving = Upstream(tuple(getattr(given, name) for name in _UPSTREAM), labels != ignore_index, given.input.dtype)
    sums = Accumulator(*tensors, _wanted_of(given), height, rows, is_wide=given.wide_scores)
    for block in scores_of_blocks(*tensors, height, rows, lambda: sums.tail, is_wide=given.wide_scores):
        upstream, some = arriving[block.place], labels[block.place]
        is_live = some != ignore_index
        if is_softmax(mapping):
            softmax_slopes(block.scores, some, is_live, activation, upstream)
            sums.add(block, block.scores)
        else:
            slopes = _slopes(of_rows(mapping, block.place), block, some, is_live, activation, upstream)
            sums.add(block, slopes)
    found = arriving.scale(sums.finish())
    return tuple(total.to(x.dtype) if x is not None else total for total, x in zip(found, tensors, strict=True))


def softmax_slopes(
    scores: Tensor, labels: Tensor, is_live: Tensor, activation: Activation, upstream: tuple[Tensor, ...]
) -> None:
    """Replace scores by the gradient of Σ upstream · statistic in them."""
    sums = row_sums(scores, labels, activation)
    log_prob, entropy, _ = statistics_of_sums(sums, labels, scores.shape[1])
    numbers = slopes_of_statistics(sums.largest, sums.others, log_prob, entropy, *(u.double() for u in upstream))
    row_slopes(scores, labels, numbers, is_live, activation)


def _height(head: Any, mapping: ProbabilityMapping) -> int:
    buffers = 1 if is_softmax(mapping) else _BUFFERS
    return block_height(head.input, head.weight, head.max_memory, buffers, head.wide_scores)


def _wanted_of(given: Any) -> Wanted:
    return Wanted(given.input_wanted, given.weight_wanted, given.bias_wanted)


def _slopes(
    mapping: ProbabilityMapping,
    block: Block,
    labels: Tensor,
    is_live: Tensor,
    activation: Activation,
    upstream: tuple[Tensor, ...],
) -> Tensor:
    """The gradient of Σ upstream · statistic in one block's scores, of their dtype."""
    raw = block.scores.to(loss_dtype(block.scores, xp))
    scores, classes = activation(raw, xp), raw.shape[1]
    in_log_prob = torch.where(is_out_of_range(labels, classes), float("nan"), upstream[0])
    each = tuple(torch.where(is_live, u, 0.0)[:, None] for u in (in_log_prob, *upstream[1:]))
    place = labels.clamp(0, classes - 1)[:, None]
    step = max(1, min(_FORMULA_ROWS, _FORMULA_SCORES // classes))
    slopes = torch.cat(
        [
            _of_formulas(of_rows(mapping, part), scores[part], place[part], *(u[part] for u in each))
            for part in (slice(i, i + step) for i in range(0, scores.shape[0], step))
        ]
    )
    pulled: Tensor = torch.where(is_live[:, None], activation.pull_back(raw, slopes, xp), 0.0)
    return pulled.to(block.scores.dtype)


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

    counted = labels != ignore_index

    def total(upstream: tuple[Tensor, ...], *head: Tensor) -> Tensor:
        input, *others = (x.double() for x in head)
        # Nothing of ignored rows reaches a derivative, not even NaN; a score of 1 is in every mapping's domain.
        scores = torch.nn.functional.linear(torch.where(counted[:, None], input, 0.0), *others)
        scores = activation(torch.where(counted[:, None], scores, 1.0), xp)
        p, logs, partition = (
            quantity_of_rows(scores, parameter, key, quantity)
            for quantity in ("probabilities", "log_probabilities", "log_partition")
        )
        # From the probabilities: a zero adds nothing, and its logarithm has no derivative.
        p = torch.where(p == 0.0, 1.0, p)
        found = (_at_labels(logs, labels), -(p * torch.log(p)).sum(1), partition)
        terms = (torch.where(counted, u * s, 0.0).sum() for u, s in zip(upstream, found, strict=True))
        return sum(terms, scores.new_zeros(()))

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
