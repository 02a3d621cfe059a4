"""The cases: each a kind of fault that a public head has had."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from lastlayer.torch.check_head.trial import IGNORED, Problem, Trial, answer, distance, gradients, plain

Tensor = torch.Tensor


@dataclass(frozen=True)
class Case:
    """`fault` says what a head got wrong, `source` where that was reported."""

    name: str
    fault: str
    source: str
    run: Callable[[Trial], None]
    is_large: bool = False


CASES: dict[str, Case] = {}


def case(name: str, fault: str, source: str, *, is_large: bool = False) -> Callable[..., Callable[[Trial], None]]:
    """Register a function as a case."""

    def register(run: Callable[[Trial], None]) -> Callable[[Trial], None]:
        CASES[name] = Case(name, fault, source, run, is_large)
        return run

    return register


def draw(trial: Trial, rows: int = 37, features: int = 8, classes: int = 50, *, bias: bool = False) -> Problem:
    """A random problem, the same in every run; every seventh row is ignored."""
    generator = torch.Generator().manual_seed(rows + classes)
    shapes = ((rows, features), (classes, features), (classes,))
    input, weight, offset = (torch.randn(shape, generator=generator).to(trial.device, trial.dtype) for shape in shapes)
    labels = torch.randint(classes, (rows,), generator=generator).to(trial.device)
    labels[3::7] = IGNORED
    return Problem(input, weight, labels, offset if bias else None)


@case("loss and gradients", "the plain case: mean over the rows that count, upstream gradient 1", "")
def loss_and_gradients(trial: Trial) -> None:
    trial.compare(draw(trial))


@case(
    "upstream factor",
    "the gradient ignores what arrives from upstream, such as a GradScaler's factor",
    "Liger-Kernel 968",
)
def upstream_factor(trial: Trial) -> None:
    trial.compare(draw(trial), torch.tensor(-1.75, device=trial.device))


@case("sum", "the sum is divided by the rows, or ignored rows are counted", "")
def sum_of_rows(trial: Trial) -> None:
    trial.compare(draw(trial), reduction="sum")


@case("loss per row", 'reduction="none" scales every row by one upstream value', "Liger-Kernel 678, PR 1298")
def loss_per_row(trial: Trial) -> None:
    problem = draw(trial)
    upstream = torch.linspace(-1.0, 2.0, len(problem.labels), device=trial.device)
    trial.compare(problem, upstream, reduction="none")


@case("bias", "the bias is left out of the scores, or its gradient is wrong", "ml-cross-entropy 52")
def bias(trial: Trial) -> None:
    trial.compare(draw(trial, bias=True))


@case(
    "ignored rows with NaN",
    "a row that is ignored poisons loss or gradients when it holds NaN or infinity",
    "pytorch 11551",
)
def ignored_nan(trial: Trial) -> None:
    problem = draw(trial)
    input = problem.input.clone()
    ignored = problem.labels == IGNORED
    input[ignored] = math.nan
    input[int(ignored.nonzero()[0])] = math.inf
    trial.compare(replace(problem, input=input))


@case(
    "upstream infinity on ignored rows", "0 · inf = NaN: a row that is ignored gets NaN from upstream", "pytorch 11551"
)
def ignored_upstream(trial: Trial) -> None:
    problem = draw(trial)
    ignored = problem.labels == IGNORED
    upstream = torch.ones(len(problem.labels), device=trial.device)
    upstream[ignored] = math.inf
    clean = torch.where(ignored, 0.0, upstream)
    truth = answer(plain, problem.to(torch.float64), clean.double(), reduction="none")
    naive = answer(plain, problem, clean, reduction="none")
    trial.judge(answer(trial.head, problem, upstream, reduction="none"), truth, naive)


@case("every row ignored", "a step without labels makes the gradients NaN, and with them the model", "trl 6668")
def nothing_counts(trial: Trial) -> None:
    problem = draw(trial)
    found = answer(trial.head, replace(problem, labels=torch.full_like(problem.labels, IGNORED)))
    # The mean of nothing is a matter of taste (0 or NaN); the gradients are not.
    for name, gradient in found.items():
        trial.require(name == "loss" or not gradient.any(), name)


@case("other ignore_index", "−100 is built in", "")
def other_ignore_index(trial: Trial) -> None:
    problem = draw(trial)
    labels = torch.where(problem.labels == IGNORED, 7, problem.labels)
    trial.compare(replace(problem, labels=labels), ignore_index=7)


@case("smoothing with ignored rows", "label smoothing counts the ignored rows too", "pytorch 73205")
def smoothing(trial: Trial) -> None:
    trial.compare(draw(trial), label_smoothing=0.1)


@case("common offset", "scores that are all near one million lose every digit, or overflow", "pytorch 195829")
def common_offset(trial: Trial) -> None:
    problem = draw(trial)
    # Small whole numbers: every score is exact in float32, and so is its difference to the largest.
    input, weight = problem.input.sign(), problem.weight.sign()
    input[:, 0] = 1.0
    weight[:, 0] = 1e6 if trial.dtype in (torch.float32, torch.float64) else 128.0
    # The gradient of the input adds (p − y)·10⁶ over the classes, which cancels: its rounding says nothing about the scores.
    trial.compare(replace(problem, input=input, weight=weight, frozen=("input",)))


@case("large scores", "exp overflows, or a confident row gives NaN", "")
def large_scores(trial: Trial) -> None:
    problem = draw(trial)
    trial.compare(replace(problem, weight=problem.weight * 256.0))


@case(
    "masked classes", "a class whose score is −inf gives NaN; padded vocabularies are masked so", "entmax 9, trl 7221"
)
def masked_classes(trial: Trial) -> None:
    problem = draw(trial, bias=True)
    assert problem.bias is not None
    masked = problem.bias.clone()
    labels = torch.where(problem.labels % 5 == 4, 0, problem.labels)
    masked[4::5] = -math.inf
    trial.compare(replace(problem, bias=masked, labels=labels))


@case("kept graph", "a second backward through a kept graph fails, or is scaled twice", "quack 209")
def kept_graph(trial: Trial) -> None:
    problem = draw(trial)
    leaves = problem.copy()
    loss = trial.head(leaves.input, leaves.weight, leaves.labels)
    torch.autograd.backward(loss, torch.full_like(loss, 2.0), retain_graph=True)
    first = {name: gradient.clone() for name, gradient in gradients(leaves).items()}
    torch.autograd.backward(loss, torch.full_like(loss, 2.0))
    allowed = 32 * torch.finfo(trial.dtype).eps
    for name, gradient in gradients(leaves).items():
        trial.note(distance(gradient, 2 * first[name].double()), allowed, name)
    trial.compare(problem)


@case("frozen parts", "a gradient is missing, or computed wrongly, where another part is frozen", "ml-cross-entropy 52")
def frozen(trial: Trial) -> None:
    problem = draw(trial)
    for names in (("input",), ("weight",)):
        trial.compare(replace(problem, frozen=names))


@case("frozen parts with a bias", "the same with a bias, which may be trained alone", "ml-cross-entropy 52")
def frozen_with_bias(trial: Trial) -> None:
    problem = draw(trial, bias=True)
    for names in (("input",), ("weight",), ("bias",), ("input", "bias"), ("weight", "bias"), ("input", "weight")):
        trial.compare(replace(problem, frozen=names))


@case("no gradient at all", "the loss under no_grad differs, or a frozen head cannot be called", "Liger-Kernel 703")
def no_gradient(trial: Trial) -> None:
    problem = draw(trial)
    with torch.no_grad():
        got = {"loss": trial.head(problem.input, problem.weight, problem.labels)}
        truth = {"loss": plain(problem.input.double(), problem.weight.double(), problem.labels)}
        trial.judge(got, truth, {"loss": plain(problem.input, problem.weight, problem.labels)})


@case("label in the last slice", "the last class, or the last part of a vocabulary that is no multiple of a block", "")
def last_label(trial: Trial) -> None:
    for classes in (1, 2, 127, 1037):
        problem = draw(trial, rows=19, classes=classes)
        labels = torch.full_like(problem.labels, classes - 1)
        trial.compare(replace(problem, labels=labels))


@case("many rows", "row numbers above 65535, the largest grid dimension of CUDA, are left out or wrap around", "")
def many_rows(trial: Trial) -> None:
    problem = draw(trial, rows=65536 + 37, features=4, classes=9)
    trial.compare(problem, reduction="sum")


@case("more than 2³¹ scores", "an address of 32 bits overflows", "", is_large=True)
def many_scores(trial: Trial) -> None:
    rows = 2**17
    problem = draw(trial, rows=rows, features=2, classes=2**14 + 3)
    got = answer(trial.head, problem, reduction="sum")["gradient of input"]
    for part in (slice(0, 512), slice(rows - 512, rows)):
        some = replace(problem, input=problem.input[part], labels=problem.labels[part], frozen=("weight",))
        truth, naive = answer(plain, some.to(torch.float64), reduction="sum"), answer(plain, some, reduction="sum")
        name = "gradient of input"
        trial.judge({name: got[part]}, {name: truth[name]}, {name: naive[name]})


@case(
    "small integer labels",
    "labels of 8 or 16 bits are compared in their own type: 156 is −100, 300 wraps around",
    "pytorch 59765",
)
def small_labels(trial: Trial) -> None:
    problem = draw(trial, classes=50257)
    labels = torch.where(problem.labels == IGNORED, 5, problem.labels)
    for dtype, top in ((torch.uint8, 256), (torch.int8, 128), (torch.int16, 2**15), (torch.int32, 50257)):
        some = (labels % top).to(dtype)
        some[0] = top - 1
        if dtype == torch.uint8:
            some[1] = 156
        trial.compare(replace(problem, labels=some))


@case(
    "strided arguments",
    "transposed, expanded or sliced tensors are read as if they were contiguous",
    "ml-cross-entropy 28",
)
def strided(trial: Trial) -> None:
    problem = draw(trial)
    input = problem.input.t().contiguous().t()
    weight = torch.stack([problem.weight, problem.weight], dim=1)[:, 0]
    labels = torch.stack([problem.labels, problem.labels], dim=1)[:, 1]
    trial.compare(replace(problem, input=input, weight=weight, labels=labels))
    trial.compare(replace(problem, input=problem.input[:1].expand(37, -1)))


@case("arguments unchanged", "input, weight or labels are overwritten by the head's work space", "")
def unchanged(trial: Trial) -> None:
    problem = draw(trial)
    before = {name: getattr(problem, name).clone() for name in ("input", "weight", "labels")}
    answer(trial.head, problem)
    for name, old in before.items():
        trial.require(torch.equal(old, getattr(problem, name)), name)


@case("two calls", "a second call overwrites what the first one kept for its backward", "")
def two_calls(trial: Trial) -> None:
    first, second = draw(trial), draw(trial, rows=41)
    leaves = first.copy()
    loss = trial.head(leaves.input, leaves.weight, leaves.labels)
    answer(trial.head, second)
    torch.autograd.backward(loss)
    truth, naive = answer(plain, first.to(torch.float64)), answer(plain, first)
    trial.judge({"loss": loss.detach(), **gradients(leaves)}, truth, naive)


@case("no rows", "an empty batch fails, or its gradients are NaN", "")
def no_rows(trial: Trial) -> None:
    problem = draw(trial)
    some = replace(problem, input=problem.input[:0], labels=problem.labels[:0])
    found = answer(trial.head, some, reduction="sum")
    for name, value in found.items():
        trial.require(not value.any(), name)
