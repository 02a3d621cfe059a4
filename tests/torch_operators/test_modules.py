"""Modules: torch.nn's arguments, layout and results; saved, copied, moved and shown like any module."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest
import torch
from operator_cases import CLASSES, drawn
from warm_softmax import WARM_SOFTMAX

import lastlayer as ll
from lastlayer import torch as lt

LAYOUTS = [(6, CLASSES), (6, CLASSES, 2), (6, CLASSES, 2, 3), (CLASSES,)]
CLASS_WEIGHT = torch.linspace(0.5, 2.0, CLASSES, dtype=torch.float64)
REDUCTIONS = ["mean", "sum", "none"]
OPTIONS = [
    {},
    {"weight": CLASS_WEIGHT},
    {"label_smoothing": 0.1},
    {"weight": CLASS_WEIGHT, "label_smoothing": 0.2},
]


def labels_for(shape, ignored=None):
    """Labels in torch.nn's layout; the first is ignored where asked for."""
    rows = shape[:1] + shape[2:] if len(shape) > 1 else ()
    labels = torch.randint(CLASSES, rows, generator=torch.Generator().manual_seed(0))
    if ignored is not None and rows:
        labels.view(-1)[0] = ignored
    return labels


def assert_drop_in(ours, theirs, scores, targets):
    mine, other = scores.clone().requires_grad_(), scores.clone().requires_grad_()
    value, expected = ours(mine, targets), theirs(other, targets)
    assert value.shape == expected.shape
    assert value.dtype == expected.dtype
    torch.testing.assert_close(value, expected, rtol=1e-13, atol=1e-14)
    value.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(mine.grad, other.grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o) or "plain")
@pytest.mark.parametrize("shape", LAYOUTS, ids=str)
def test_cross_entropy_is_a_drop_in(shape, options, reduction):
    scores, options = drawn(*shape), {**options, "reduction": reduction}
    ours, theirs = lt.CrossEntropyLoss(**options), torch.nn.CrossEntropyLoss(**options)
    assert_drop_in(ours, theirs, scores, labels_for(shape))
    assert_drop_in(ours, theirs, scores, torch.softmax(drawn(*shape, seed=8), min(1, len(shape) - 1)))
    ours, theirs = lt.CrossEntropyLoss(ignore_index=2, **options), torch.nn.CrossEntropyLoss(ignore_index=2, **options)
    if len(shape) > 1:
        assert_drop_in(ours, theirs, scores, labels_for(shape, ignored=2))


@pytest.mark.parametrize("shape", [(CLASSES,), (3, CLASSES), (3, 4, CLASSES)], ids=str)
@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
def test_softmax_modules_are_drop_ins(name, shape):
    for dim in range(-len(shape), len(shape)):
        ours, theirs = getattr(lt, name)(dim=dim), getattr(torch.nn, name)(dim=dim)
        torch.testing.assert_close(ours(drawn(*shape)), theirs(drawn(*shape)), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("reduction", [*REDUCTIONS, "parts"])
def test_all_rows_ignored_is_zero(reduction):
    scores = drawn(3, CLASSES).requires_grad_()
    value = lt.CrossEntropyLoss(reduction=reduction)(scores, torch.full((3,), -100))
    total = value[0] if reduction == "parts" else value
    total.sum().backward()
    assert torch.count_nonzero(total.detach()) == 0
    assert torch.equal(scores.grad, torch.zeros_like(scores))
    head = lt.LinearLoss(CLASSES, 7, dtype=torch.float64, reduction=reduction)
    value = head(scores.detach(), torch.full((3,), -100))
    total = value[0] if reduction == "parts" else value
    total.sum().backward()
    assert torch.count_nonzero(total.detach()) == 0
    assert torch.equal(head.weight.grad, torch.zeros_like(head.weight))


def modules():
    """One of every module, with what it may be given."""
    yield from (getattr(lt, "".join(w.capitalize() for w in name.split("_")))() for name in ll.MAPPINGS)
    yield lt.Entmax(dim=0, alpha=1.3)
    yield lt.Probabilities("entmax:alpha=1.3")
    yield lt.LogProbabilities("taylor", dim=0)
    yield lt.LogSoftmax(dim=0)
    yield lt.MappingLoss("spherical", torch.linspace(0.5, 2.0, CLASSES), label_smoothing=0.1, softcap=5.0)
    yield lt.CrossEntropyLoss(torch.linspace(0.5, 2.0, CLASSES), reduction="sum", z_loss=1e-3)
    yield lt.LinearLoss(CLASSES, CLASSES, mapping="entmax:alpha=1.3", label_smoothing=0.1)


EVERY = list(modules())
IDS = [repr(module) for module in EVERY]


def results(module):
    scores = drawn(CLASSES, CLASSES).abs().float()
    is_loss = isinstance(module, (lt.MappingLoss, lt.LinearLoss))
    return module(scores, torch.arange(CLASSES)) if is_loss else module(scores)


@pytest.mark.parametrize("module", EVERY, ids=IDS)
def test_saved_and_copied(module):
    expected = results(module)
    for other in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module), copy.copy(module)):
        assert type(other) is type(module)
        assert repr(other) == repr(module)
        assert torch.equal(results(other), expected)
    other = copy.deepcopy(module)
    for tensor in (*other.parameters(), *other.buffers()):
        tensor.data.fill_(0.25)
    other.load_state_dict(module.state_dict())
    assert torch.equal(results(other), expected)


@pytest.mark.parametrize("module", EVERY, ids=IDS)
def test_moved(module):
    module = copy.deepcopy(module).to(torch.float64).to("cpu")
    assert {t.dtype for t in (*module.parameters(), *module.buffers())} <= {torch.float64}
    abroad = copy.deepcopy(module).to("meta")
    assert {t.device.type for t in (*abroad.parameters(), *abroad.buffers())} <= {"meta"}


def test_repr_says_what_was_given():
    assert repr(lt.Entmax(dim=0, alpha=1.3)) == "Entmax(mapping='entmax:alpha=1.3', dim=0)"
    assert repr(lt.CrossEntropyLoss()) == "CrossEntropyLoss(mapping='softmax')"
    assert repr(lt.CrossEntropyLoss(label_smoothing=0.1)) == "CrossEntropyLoss(mapping='softmax', label_smoothing=0.1)"
    head = lt.LinearLoss(3, 4, bias=False, mapping="sparsemax", reduction="sum")
    assert repr(head) == "LinearLoss(in_features=3, out_features=4, bias=False, mapping='sparsemax', reduction='sum')"


def test_state_dict_is_that_of_torch():
    assert list(lt.CrossEntropyLoss(CLASS_WEIGHT).state_dict()) == list(
        torch.nn.CrossEntropyLoss(CLASS_WEIGHT).state_dict()
    )
    linear, head = torch.nn.Linear(3, CLASSES), lt.LinearLoss(3, CLASSES)
    head.load_state_dict(linear.state_dict())
    x, labels = drawn(4, 3).float(), torch.arange(4)
    expected = torch.nn.functional.cross_entropy(linear(x), labels)
    torch.testing.assert_close(head(x, labels), expected)
    assert torch.equal(head.scores(x), linear(x))
    found = head.statistics(x, labels)
    torch.testing.assert_close(-found.log_prob.mean(), expected)
    assert torch.equal(found.argmax, linear(x).argmax(1))


def test_class_weight_of_a_head_moves_but_is_no_state():
    head = lt.LinearLoss(3, CLASSES, class_weight=CLASS_WEIGHT, dtype=torch.float64)
    assert list(head.state_dict()) == ["weight", "bias"]
    x, labels = drawn(4, 3), torch.arange(4)
    expected = torch.nn.functional.cross_entropy(head.scores(x), labels, weight=CLASS_WEIGHT)
    torch.testing.assert_close(head(x, labels), expected)
    assert head.to("meta").class_weight.device.type == "meta"


def test_a_mapping_is_pickled_by_name():
    for name in [*ll.MAPPINGS, "entmax:alpha=1.3"]:
        record = ll.functions.resolve_mapping(name)
        assert pickle.loads(pickle.dumps(record)).label == record.label
    softmax = ll.MAPPINGS["softmax"]
    assert pickle.loads(pickle.dumps(softmax)) is softmax
    # One that was changed is no longer what the name finds.
    changed = replace(softmax, summary="Mine.")
    assert copy.deepcopy(changed).summary == "Mine."


def test_initialised_like_torch_linear():
    head = lt.LinearLoss(400, 50)
    for parameter in (head.weight, head.bias):
        assert 0.8 / 20 < float(parameter.detach().abs().max()) <= 1 / 20
    assert abs(float(head.weight.detach().mean())) < 0.002


def test_a_mapping_of_the_users_own():
    scores, labels = drawn(3, CLASSES), torch.tensor([0, 1, 2])
    criterion = lt.MappingLoss(WARM_SOFTMAX)
    torch.testing.assert_close(criterion(scores, labels), ll.loss(scores, labels, temperature=2.0))
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(criterion)
    torch.testing.assert_close(copy.deepcopy(criterion)(scores, labels), criterion(scores, labels))


def test_bad_options_are_refused_at_once():
    with pytest.raises(ValueError, match="reduction"):
        lt.CrossEntropyLoss(reduction="average")
    with pytest.raises(ValueError, match="temperature"):
        lt.CrossEntropyLoss(temperature=-1.0)
    with pytest.raises(TypeError, match="smoothing"):
        lt.CrossEntropyLoss(smoothing=0.1)
    with pytest.raises(TypeError, match="smoothing"):
        lt.LinearLoss(3, 4, smoothing=0.1)
    with pytest.raises(ValueError, match="reduction"):
        lt.LinearLoss(3, 4, reduction="average")
    with pytest.raises(TypeError, match="sample_weight"):
        lt.LinearLoss(3, 4, sample_weight=torch.ones(2))
