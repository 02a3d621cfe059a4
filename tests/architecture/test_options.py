"""One list of options: signatures, keywords for type checkers, operator schemas and the kernels' arguments follow LossOptions."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
import torch

import lastlayer as ll
import lastlayer.torch as lt
from lastlayer.backends import EXTENSION
from lastlayer.losses import HeadKeywords, LossKeywords, LossOptions
from lastlayer.losses.options import ARRAYS, DEFAULTS, NUMBERS, SCHEMA, TRIALS, WORDS
from lastlayer.torch.huggingface import use_linear_loss

SOURCE = Path(ll.__file__).parent
#: Every public call that takes the options as keywords → what it calls the class weights, and the options that it does not take.
ENTRANCES = {
    ll.loss: ("weight", ()),
    ll.loss_and_grad: ("weight", ()),
    ll.cross_entropy: ("weight", ()),
    lt.linear_loss: ("class_weight", ()),
    lt.MappingLoss: ("weight", ("sample_weight",)),
    lt.LinearLoss: ("class_weight", ("sample_weight",)),
    use_linear_loss: ("class_weight", ("sample_weight", "ignore_index", "reduction")),
}


@pytest.mark.parametrize("entrance", ENTRANCES, ids=lambda entrance: entrance.__name__)
def test_every_entrance_shows_every_option_with_its_default(entrance):
    weight, without = ENTRANCES[entrance]
    shown = inspect.signature(entrance).parameters
    assert all(parameter.kind is not inspect.Parameter.VAR_KEYWORD for parameter in shown.values())
    for option, default in DEFAULTS.items():
        name = weight if option == "weight" else option
        if option in without:
            assert name not in shown
        else:
            assert shown[name].default == default, name


@pytest.mark.parametrize("function", [ll.loss, lt.linear_loss], ids=lambda function: function.__name__)
def test_docstrings_say_what_the_list_says(function):
    text = re.sub(r"\s+", " ", function.__doc__)
    assert all(words in text for words in WORDS.values())
    assert "{loss options}" not in text


def test_an_unknown_option_is_refused_by_the_name_that_was_called():
    x, y = torch.zeros(2, 3), torch.tensor([0, 1])
    for name, call in {
        "loss": lambda: ll.loss(x, y, label_smooting=0.1),
        "loss_and_grad": lambda: ll.loss_and_grad(x, y, label_smooting=0.1),
        "cross_entropy": lambda: ll.cross_entropy(x, y, label_smooting=0.1),
        "linear_loss": lambda: lt.linear_loss(x, torch.zeros(4, 3), y, label_smooting=0.1),
        "MappingLoss": lambda: lt.MappingLoss(label_smooting=0.1),
        "CrossEntropyLoss": lambda: lt.CrossEntropyLoss(label_smooting=0.1),
        "LinearLoss": lambda: lt.LinearLoss(3, 4, label_smooting=0.1),
        "use_linear_loss": lambda: use_linear_loss(None, label_smooting=0.1),
    }.items():
        with pytest.raises(TypeError, match=f"{name} has no option 'label_smooting'; did you mean 'label_smoothing'"):
            call()


def test_keywords_for_type_checkers_are_the_fields():
    assert set(get_type_hints(LossKeywords)) == set(DEFAULTS)
    assert set(get_type_hints(HeadKeywords)) == (set(DEFAULTS) - {"weight"}) | {"class_weight"}


def test_operators_take_every_option():
    for operator in ("loss", "linear_loss", "linear_loss_backward"):
        schema = {a.name: str(a.type) for a in getattr(torch.ops.lastlayer, operator).default._schema.arguments}
        for option, kind in SCHEMA.items():
            written = {"Tensor?": "Optional[Tensor]", "float?": "Optional[float]"}.get(kind, kind)
            assert schema["class_weight" if option == "weight" else option] == written, (operator, option)


@pytest.mark.skipif(EXTENSION is None, reason="built without kernels; install a C++ compiler")
def test_the_kernels_take_the_numbers_in_the_order_of_the_list():
    names = re.findall(r"(\w+): ", EXTENSION.loss.__doc__.split("->")[0])
    start = names.index(NUMBERS[0])
    assert tuple(names[start : start + len(NUMBERS)]) == NUMBERS
    stub = (SOURCE / "kernels" / "native.pyi").read_text("utf-8")
    assert names == re.findall(r"^    (\w+): ", stub[stub.index("def loss(") : stub.index("def place_columns")], re.M)


def test_options_are_every_field_and_arrays_come_first():
    assert ARRAYS == ("weight", "sample_weight")
    assert set(ARRAYS) | set(NUMBERS) | {"reduction"} == set(DEFAULTS)
    assert set(TRIALS) == set(NUMBERS) - {"ignore_index"}
    given = LossOptions(label_smoothing=np.float32(0.5), softcap=np.int64(3))
    assert dict(zip(NUMBERS, given.numbers(), strict=True)) == {
        name: {"label_smoothing": 0.5, "softcap": 3}.get(name, DEFAULTS[name]) for name in NUMBERS
    }
    assert all(type(value) in (int, float, type(None)) for value in given.numbers())


def test_few_files_name_an_option():
    """A new option touches the files that CONTRIBUTING lists; z_loss is one that every layer has to compute."""
    naming = [
        path.relative_to(SOURCE).as_posix()
        for path in sorted(SOURCE.rglob("*"))
        if path.suffix in (".py", ".pyi", ".hpp", ".cpp") and re.search(r"\bz_loss\b", path.read_text("utf-8"))
    ]
    assert len(naming) <= 12, naming
