"""Ratios and the JSON form, on times that are easy to divide."""

from __future__ import annotations

import json

import pytest
from synthetic_record import synthetic_record

from lastlayer.benchmark import Cell, Record, Timing
from lastlayer.benchmark.facts import processor


def test_ratios_are_our_time_over_theirs():
    few, many = synthetic_record().cells[:2]
    assert few.ratios == pytest.approx({"torch": 0.5, "scipy": 0.1})
    assert many.ratios == pytest.approx({"torch": 2.0, "scipy": 0.1})
    assert (few.is_behind, many.is_behind) == (False, True)
    assert many.best_peer == ("torch", pytest.approx(2.0))


def test_the_floor_is_the_fastest_way():
    few = synthetic_record().cells[0]
    assert few.floor_seconds == 0.001
    assert few.floor_ratio == pytest.approx(3.0)


def test_without_our_result_there_is_no_ratio():
    cell = Cell(
        (1, 2), "softmax", "copy", {"copy": Timing(1, 1, 1)}, {"torch": Timing(1, 1, 1)}, {"lastlayer": "wrong"}
    )
    assert (cell.ratios, cell.floor_ratio, cell.best_peer, cell.is_behind) == ({}, None, None, False)


def test_largest_error_is_over_kinds_of_rows():
    record = synthetic_record()
    assert record.largest_error("softmax", "lastlayer") == (1.25, "ULP")
    assert record.largest_error("softmax", "lastlayer", "random") == (0.5, "ULP")
    assert record.largest_error("softmax", "scipy") is None


def test_json_goes_there_and_back():
    record = synthetic_record()
    text = record.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert Record.from_json(text) == record


@pytest.mark.parametrize("text", ["[]", '{"schema": 0}', "{}"])
def test_another_schema_is_refused(text):
    with pytest.raises(ValueError, match="no benchmark record"):
        Record.from_json(text)


def test_saving_leaves_one_file(tmp_path):
    path = tmp_path / "record.json"
    path.write_text("earlier")
    synthetic_record().save(path)
    assert list(tmp_path.iterdir()) == [path]
    assert Record.from_json(path.read_text(encoding="utf-8")) == synthetic_record()


@pytest.mark.parametrize(
    ("model", "name"),
    [("AMD EPYC", "AMD EPYC (family 26, model 2)"), ("AMD EPYC 9654", "AMD EPYC 9654")],
)
def test_a_processor_without_a_number_is_told_from_others(model, name, tmp_path):
    core = f"cpu family\t: 26\nmodel\t\t: 2\nmodel name\t: {model}\n\n"
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(core * 2)
    assert processor(cpuinfo) == name
