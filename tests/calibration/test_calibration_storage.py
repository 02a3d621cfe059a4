"""calibrator.json: what is read back is what was written, to the last digit; anything else is refused by one sentence."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace

import numpy as np
import pytest

from lastlayer.calibration import Calibrator


def same(one: Calibrator, other: Calibrator) -> bool:
    """Every field is equal, digit for digit and type for type."""
    pairs = [(getattr(one, each.name), getattr(other, each.name)) for each in fields(Calibrator)]
    return all(type(a) is type(b) and np.array_equal(a, b) for a, b in pairs)


def test_what_is_read_is_what_was_written(calibrator: Calibrator, values, tmp_path):
    names = tuple(f"klass {i} é" for i in range(calibrator.n_classes))
    calibrator = replace(calibrator, class_names=names, fitted_on={"source": "val.npy", "rows": 50})
    path = calibrator.write(tmp_path / "calibrator.json")
    read = Calibrator.read(path)
    assert same(read, calibrator)
    np.testing.assert_array_equal(read.probabilities(values), calibrator.probabilities(values))
    assert [file.name for file in tmp_path.iterdir()] == ["calibrator.json"]


def test_every_digit_of_random_numbers_is_kept(tmp_path):
    random = np.random.default_rng(5)
    weight = np.exp(random.normal(scale=100, size=200)) * random.choice([-1, 1], 200)
    weight[:3] = 5e-324, -0.0, np.finfo(float).max
    path = Calibrator("vector", "softmax", 200, weight=weight, bias=-weight).write(tmp_path / "c.json")
    read = Calibrator.read(path)
    assert read.weight.tobytes() == weight.tobytes()
    assert read.bias.tobytes() == (-weight).tobytes()


def test_a_person_can_read_it(make_calibrator, tmp_path):
    calibrator = make_calibrator("matrix", 3, class_names=("chat", "chien", "naïf"))
    text = calibrator.write(tmp_path / "c.json").read_text("utf-8")
    lines = text.splitlines()
    assert lines[1] == '  "format": 1,'
    assert '  "class_names": ["chat", "chien", "naïf"],' in lines
    assert any(line.startswith("    [0.0, 1.0, 0.") for line in lines)
    assert json.loads(text)["matrix"] == calibrator.matrix.tolist()


def test_a_calibrator_of_halves_and_integers_is_kept_as_it_computes(tmp_path):
    given = Calibrator("vector", "softmax", 2, weight=np.float16([0.1, 0.2]), bias=np.array([1, 2]))
    assert same(Calibrator.read(given.write(tmp_path / "c.json")), given)
    assert given.weight.dtype == given.bias.dtype == np.float64


FORM = Calibrator("matrix", "softmax", 2, matrix=np.eye(2), bias=np.zeros(2), class_names=("a", "b")).to_dict()
TEMPERATURE = Calibrator("temperature", "softmax", 3, temperature=1.5).to_dict()
#: What is changed in a good form → words that the sentence must have: the field, and what is wrong with it.
DAMAGED = [
    (TEMPERATURE, {"temperature": -1242.17}, "temperature is -1242.17"),
    (TEMPERATURE, {"temperature": 0.0}, "temperature is 0.0"),
    (TEMPERATURE, {"temperature": math.nan}, "temperature is nan"),
    (TEMPERATURE, {"temperature": math.inf}, "temperature is inf"),
    (TEMPERATURE, {"temperature": "1.5"}, "temperature is '1.5'"),
    (TEMPERATURE, {"temperature": True}, "temperature is True"),
    (TEMPERATURE, {"temperature": 10**400}, "temperature is 1000"),
    (TEMPERATURE, {"temperature": None}, "temperature is None"),
    (TEMPERATURE, {"mapping": "softmux"}, "mapping is 'softmux'"),
    (TEMPERATURE, {"mapping": "entmax:alpha=-3"}, "mapping is 'entmax:alpha=-3'"),
    (TEMPERATURE, {"mapping": "entmax:beta=1"}, "mapping is 'entmax:beta=1'"),
    (TEMPERATURE, {"mapping": 3}, "mapping is 3"),
    (TEMPERATURE, {"mapping": "x" * 10_000}, "mapping is 'xxx"),
    (TEMPERATURE, {"name": "x" * 10_000}, "name is 'xxx"),
    (TEMPERATURE, {"name": "platt"}, "name is 'platt'"),
    (TEMPERATURE, {"name": "sparsemax"}, "name is 'sparsemax'"),
    (TEMPERATURE, {"name": "none"}, "temperature is 1.5 for the map none"),
    (TEMPERATURE, {"name": "vector", "temperature": 1.0}, "weight is missing"),
    (TEMPERATURE, {"name": "temperature_prior"}, "bias is missing"),
    (TEMPERATURE, {"bias": [0, 0, 0]}, "bias is given"),
    (TEMPERATURE, {"n_classes": 10**12}, "n_classes is 1000000000000"),
    (TEMPERATURE, {"n_classes": 1}, "n_classes is 1"),
    (TEMPERATURE, {"n_classes": 3.0}, "n_classes is 3.0"),
    (TEMPERATURE, {"n_classes": True}, "n_classes is True"),
    (TEMPERATURE, {"kind": "logits"}, "kind is 'logits'"),
    (TEMPERATURE, {"kind": ["scores"]}, "kind is ['scores']"),
    (TEMPERATURE, {"is_one_column": True}, "is_one_column is True"),
    (TEMPERATURE, {"is_one_column": 1}, "is_one_column is 1"),
    (TEMPERATURE, {"floor": 1.0}, "floor is 1.0"),
    (TEMPERATURE, {"floor": -1e-9}, "floor is -1e-09"),
    (TEMPERATURE, {"floor": math.nan}, "floor is nan"),
    (TEMPERATURE, {"class_names": ["a", "b"]}, "class_names has 2 entries"),
    (TEMPERATURE, {"class_names": ["a", "b", 3]}, "class_names is"),
    (TEMPERATURE, {"class_names": "abc"}, "class_names is 'abc'"),
    (TEMPERATURE, {"fitted_on": []}, "fitted_on is []"),
    (TEMPERATURE, {"format": 2}, "format is 2"),
    (TEMPERATURE, {"format": True}, "format is True"),
    (TEMPERATURE, {"format": "1"}, "format is '1'"),
    (TEMPERATURE, {"__class__": "os.system"}, "'__class__' is no field"),
    (FORM, {"matrix": [[1.0, 0.0]]}, "matrix has the shape (1, 2)"),
    (FORM, {"matrix": [[1.0, 0.0], [0.0]]}, "matrix has rows of different lengths"),
    (FORM, {"matrix": [1.0, 0.0, 0.0, 1.0]}, "matrix has the shape (4,)"),
    (FORM, {"matrix": [[1.0, 0.0], [0.0, math.nan]]}, "matrix has an entry"),
    (FORM, {"matrix": [[1.0, 0.0], [0.0, math.inf]]}, "matrix has an entry"),
    (FORM, {"matrix": [[1.0, 0.0], [0.0, "1"]]}, "matrix is"),
    (FORM, {"matrix": [[1.0, 0.0], [0.0, None]]}, "matrix is"),
    (FORM, {"matrix": [[1.0, 0.0], [0.0, [1.0]]]}, "matrix is"),
    (FORM, {"matrix": [[1.0, 0.0], 3]}, "matrix is"),
    (FORM, {"matrix": {}}, "matrix is {}"),
    (FORM, {"matrix": []}, "matrix has the shape (0,)"),
    (FORM, {"bias": [0.0, 1e999]}, "bias has an entry"),
    (FORM, {"bias": [[0.0, 1.0]]}, "bias has the shape (1, 2)"),
    (FORM, {"weight": [1.0, 1.0]}, "weight is given"),
    (FORM, {"temperature": 2.0}, "temperature is 2.0 for the map matrix"),
]


@pytest.mark.parametrize(("form", "change", "words"), DAMAGED, ids=[words for *_, words in DAMAGED])
def test_a_damaged_field_is_named(form, change, words, tmp_path):
    path = tmp_path / "calibrator.json"
    path.write_text(json.dumps(form), "utf-8")
    assert isinstance(Calibrator.read(path), Calibrator)
    path.write_text(json.dumps({**form, **change}), "utf-8")
    with pytest.raises(ValueError) as error:
        Calibrator.read(path)
    assert_one_sentence(str(error.value), path)
    assert words in str(error.value)


@pytest.mark.parametrize("field", TEMPERATURE)
def test_a_missing_field_is_named(field, tmp_path):
    path = tmp_path / "calibrator.json"
    path.write_text(json.dumps({name: value for name, value in TEMPERATURE.items() if name != field}), "utf-8")
    with pytest.raises(ValueError) as error:
        Calibrator.read(path)
    assert_one_sentence(str(error.value), path)
    assert f": {field} is missing;" in str(error.value)


GOOD = json.dumps(TEMPERATURE)
NOT_JSON = {
    "empty": b"",
    "a pickle": b"\x80\x04\x95\x0e\x00\x00",
    "cut off": GOOD[:-20].encode(),
    "a list": b"[1, 2]",
    "a number": b"7",
    "deep": b"[" * 200_000,
    "thousands of digits": b'{"format": ' + b"9" * 10_000 + b"}",
    "a field twice": GOOD.replace('"temperature": 1.5', '"temperature": 1.5, "temperature": 2.5').encode(),
    "not UTF-8": GOOD.replace("temperature", "temp\xe9rature").encode("latin-1"),
}


@pytest.mark.parametrize("name", NOT_JSON)
def test_what_is_no_calibrator_is_refused(name, tmp_path):
    path = tmp_path / "calibrator.json"
    path.write_bytes(NOT_JSON[name])
    with pytest.raises(ValueError) as error:
        Calibrator.read(path)
    assert_one_sentence(str(error.value), path)


def test_a_huge_file_and_a_folder_are_refused_without_reading_them(tmp_path):
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match=r"huge\.json holds no calibrator: it has 1099511627776 bytes"):
        Calibrator.read(path)
    with pytest.raises(ValueError, match="it is no file"):
        Calibrator.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        Calibrator.read(tmp_path / "absent.json")


def test_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "calibrator.json"
    path.write_text(GOOD, "utf-8-sig")
    assert Calibrator.read(path).temperature == 1.5


def test_a_failed_write_leaves_the_earlier_file(make_calibrator, tmp_path):
    path = make_calibrator("temperature", 3).write(tmp_path / "calibrator.json")
    before = path.read_bytes()
    with pytest.raises(TypeError):
        make_calibrator("temperature", 3, fitted_on={"what": object()}).write(path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def assert_one_sentence(message: str, path) -> None:
    """One line that names the file, ends with a full stop and has a remedy after its semicolon."""
    assert "\n" not in message
    assert message.startswith(f"The file {path} holds no calibrator: ")
    assert len(message) < 700
    assert message.endswith((".", "?"))
    assert "; " in message or "did you mean" in message
