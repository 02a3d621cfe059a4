"""The benchmarks in short say what the records say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from synthetic_record import synthetic_record

from lastlayer.benchmark import Record, classifier_fits, head_cases, head_statistics, temperatures
from lastlayer.benchmark.summary import summary

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def stored(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def rows(part: str) -> dict[str, list[str]]:
    """First cell → the others, of a table."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines()]
    return {first: others for first, *others in lines}


def test_rows_ahead_and_ranges_are_counted_from_the_cells() -> None:
    _, _, records, _, operations = summary({"cpu": synthetic_record()}, [], None)
    (counts,) = list(rows(records).values())[2:]
    # Three rows have a peer, with our time at 0.5, 2.0 and 0.25 of the fastest.
    assert counts[1:3] == ["3", "2"]
    assert rows(operations)["`softmax`"][:2] == ["0.50 to 2.00", "copy"]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_head_is_said_as_it_was_recorded(device: str) -> None:
    record = stored(f"linear-{device}")
    _, text, head = summary({}, [record], None)
    for row, cells in zip(record["rows"], list(rows(head).values())[2:], strict=True):
        times = [seconds["median"] / row["seconds"]["products"]["median"] for seconds in row["seconds"].values()][1:]
        assert [float(cell.split(",")[0]) for cell in cells if cell] == pytest.approx(times, abs=0.00501)
        held = [float(cell.split()[1]) * 1024.0 ** (2 + cell.endswith("GiB")) for cell in cells if cell]
        assert held == pytest.approx([*row["peak_bytes"].values()], rel=0.05, abs=2**19)
    assert ("CPU threads" if device == "cpu" else "H200") in text


def test_fits_are_said_as_they_were_recorded() -> None:
    record = stored("fit")
    _, _, table = summary({}, [], record)
    least = {}
    for row in record["rows"]:
        if others := [time for name, time in row["seconds"].items() if name != "lastlayer"]:
            least.setdefault(row["problem"], []).append(min(others) / row["seconds"]["lastlayer"])
    expected = {name: [str(len(x)), f"{min(x):.1f} to {max(x):.1f}"] for name, x in least.items()}
    assert {name: cells for name, cells in rows(table).items() if name in expected} == expected
    page = classifier_fits.section(record)
    assert page.count("missed (") == sum(len(row["missed"]) for row in record["rows"]) > 0
    assert len([line for line in page.splitlines() if line.startswith("|")]) == len(record["rows"]) + 2


def test_temperatures_are_said_as_they_were_recorded() -> None:
    record = stored("temperature")
    page = temperatures.section(record)
    cells = [(name, found) for name, found in rows(page).items() if name.replace(" × ", "x") in record["shapes"]]
    assert [name.replace(" × ", "x") for name, _ in cells] == list(record["shapes"])
    for (_, found), shape in zip(cells, record["shapes"].values(), strict=True):
        assert [float(cell.split()[0]) for cell in found[:-1]] == pytest.approx(
            [one["seconds"] for one in shape.values()], rel=0.01
        )
        others = [one["seconds"] for name, one in shape.items() if name != "lastlayer"]
        assert float(found[-1]) == pytest.approx(min(others) / shape["lastlayer"]["seconds"], abs=0.0051)
    assert f"{record['command']['rows']} × {record['command']['classes']}" in page


def test_without_records_nothing_is_said() -> None:
    assert summary({}, [], None) == []


def test_the_page_has_every_figure() -> None:
    """A record that changes leaves no old figure behind: docs/render.py --check, here for the summary."""
    page = (RESULTS.parents[1] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    names = ("cpu-zen5", "cpu-zen4", "cpu", "cpu-float64")
    records = {name: Record.from_json((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in names}
    parts = summary(records, [stored("linear-cpu"), stored("linear-cuda")], stored("fit"))
    assert len(parts) == 11
    assert all(part in page for part in parts)


def test_heads_are_said_as_they_were_recorded() -> None:
    record = stored("heads-cpu")
    cells = rows(head_cases.section(record))
    assert cells["case"] == list(record["heads"])
    for place, results in enumerate(record["heads"].values()):
        found = [cells[name][place] for name in record["cases"]]
        assert found.count("✓") == sum(result["outcome"] == "passed" for result in results)
        for result in results:
            if result["outcome"] == "wrong" and result["error"] != "inf":
                number = cells[result["name"]][place].removeprefix("wrong by ")
                assert float(number) == pytest.approx(result["error"], rel=0.1)
    assert all(result["outcome"] == "passed" for result in record["heads"]["lastlayer"])


def test_statistics_of_heads_are_said_as_they_were_recorded() -> None:
    record = stored("linear-statistics-cpu")
    page = head_statistics.section(record)
    for found in record["rows"]:
        for name in ("forward / one product", "forward and backward / four products"):
            assert f"| statistics, {name} |" in page
            assert f"| {found['statistics'][name]:.2f} |" in page
        assert f"| {found['slices']['two over one']:.2f} |" in page
