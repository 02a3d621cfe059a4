"""`n_classes` on one process: padded rows of the weight do not exist, and it lets nothing pass that would be refused without it."""

from __future__ import annotations

import pytest
import torch

from lastlayer.torch import linear_loss, linear_statistics

ROWS, FEATURES, PADDED, CLASSES = 5, 4, 8, 6


@pytest.fixture
def head():
    generator = torch.Generator().manual_seed(1)
    input, weight = (torch.randn(n, FEATURES, generator=generator, dtype=torch.float64) for n in (ROWS, PADDED))
    return input, weight.requires_grad_(), torch.arange(ROWS)


@pytest.mark.parametrize("length", [PADDED, CLASSES])
def test_per_class_arguments_may_be_padded_or_not(head, length):
    input, weight, labels = head
    numbers = torch.linspace(0.5, 2.0, PADDED, dtype=torch.float64)
    given = dict.fromkeys(("bias", "class_weight", "class_prior"), numbers[:length])
    loss = linear_loss(input, weight, labels, n_classes=CLASSES, **given)
    cut = dict.fromkeys(given, numbers[:CLASSES])
    assert torch.equal(loss, linear_loss(input, weight[:CLASSES], labels, **cut))
    loss.backward()
    assert not weight.grad[CLASSES:].any()
    assert weight.grad[:CLASSES].any()


@pytest.mark.parametrize("name", ["bias", "class_weight", "class_prior"])
@pytest.mark.parametrize("length", [PADDED + 92, PADDED - 1, ()])
def test_another_length_is_refused(head, name, length):
    wrong = torch.ones(length, dtype=torch.float64)
    with pytest.raises(ValueError, match=rf"{name} has shape .*\(6,\)"):
        linear_loss(*head, n_classes=CLASSES, **{name: wrong})


@pytest.mark.parametrize("function", [linear_loss, linear_statistics])
@pytest.mark.parametrize(
    ("place", "value"), [(1, [[1.0]]), (1, torch.tensor(1.0, dtype=torch.float64)), (2, [0, 1]), (2, None)]
)
def test_the_words_are_those_of_a_call_without_it(head, function, place, value):
    arguments = [*head]
    arguments[place] = value
    with pytest.raises((TypeError, ValueError)) as plain:
        function(*arguments)
    with pytest.raises(type(plain.value)) as padded:
        function(*arguments, n_classes=CLASSES)
    assert str(padded.value).replace(f"..{CLASSES - 1}", "") == str(plain.value).replace(f"..{PADDED - 1}", "")


@pytest.mark.parametrize("n_classes", [0, PADDED + 1])
def test_more_or_fewer_classes_than_there_are_rows(head, n_classes):
    with pytest.raises(ValueError, match=rf"n_classes is {n_classes}; weight has 8 rows: give 1..8"):
        linear_loss(*head, n_classes=n_classes)
