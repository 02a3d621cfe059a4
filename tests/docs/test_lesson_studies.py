"""What lesson 4 says of the recorded studies in words is what they found, by the Brier score."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

LESSON = (Path(__file__).parents[2] / "docs" / "learn" / "4-data.md").read_text(encoding="utf-8")
PROSE = " ".join(LESSON.replace("**", "").split())
TABLES = {
    table["name"]: table["mappings"]
    for table in json.loads((files("lastlayer.explore") / "data" / "studies.json").read_text(encoding="utf-8"))[
        "tables"
    ]
}
OTHERS = [name for name in TABLES["iris"] if name != "softmax"]


def verdicts(mapping: str) -> dict[str, str]:
    return {table: found[mapping]["brier"][-1] for table, found in TABLES.items()}


def where(mapping: str, verdict: str = "differs") -> set[str]:
    """The tables with this verdict."""
    return {table for table, found in verdicts(mapping).items() if found == verdict}


def said(words: str) -> str:
    assert words in PROSE
    return words


@pytest.mark.parametrize("table", TABLES)
def test_the_table_names_every_mapping_that_is_worse(table):
    row = re.search(rf"^\| {table.replace('_', ' ')} \| ([a-z_, ]+) \|$", LESSON, flags=re.MULTILINE)
    assert set(row[1].split(", ")) == {name for name in OTHERS if table in where(name)}


def test_no_mapping_is_better():
    said("No mapping was found to be better.")
    differences = [
        found[name]["brier"][1] for found in TABLES.values() for name in OTHERS if found[name]["brier"][-1] == "differs"
    ]
    assert min(differences) > 0


def test_the_ratio_is_the_worst_everywhere():
    said("The plain ratio is worse everywhere, by far")
    for found in TABLES.values():
        assert found["ratio"]["brier"][1] > 2 * max(found[name]["brier"][1] for name in OTHERS if name != "ratio")


def test_what_becomes_softmax_is_as_good():
    said("The first is *equal* to it on all four tables, the second on all but iris")
    assert where("sigmoid_ratio", "equal") == set(TABLES)
    assert where("softplus_ratio", "equal") == set(TABLES) - {"iris"}
    assert where("softplus_ratio", "cannot be told apart") == {"iris"}


def test_those_in_between():
    said("Two mappings that become almost softmax in training do as well as softmax; six others")
    assert len(OTHERS) == 2 + 6 + len(["ratio"])
    said("spherical and taylor are worse on iris and digits, and taylor on wine, too.")
    assert (where("spherical"), where("taylor")) == ({"iris", "digits"}, {"iris", "digits", "wine"})
    said(
        "stablemax, sparsemax and entmax are worse on digits, the table with the most rows and classes, and sparsemax on wine, too."
    )
    assert where("stablemax") == where("entmax") == {"digits"}
    assert where("sparsemax") == {"digits", "wine"}
    said("hardmax is never told apart from softmax")
    assert where("hardmax", "cannot be told apart") == set(TABLES)


def test_sparse_mappings_lose_a_true_class():
    said("their log loss is infinite on some tables")
    for name in ("sparsemax", "entmax"):
        assert any(found[name]["log_loss"][0] is None for found in TABLES.values())
