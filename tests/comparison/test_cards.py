"""Cards and the Markdown made of them say what the records say."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import pytest

from lastlayer.comparison import card
from lastlayer.comparison.markdown import page, table
from lastlayer.functions import resolve_mapping
from lastlayer.mappings import LAWS, MAPPINGS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def render():
    spec = importlib.util.spec_from_file_location("render", ROOT / "docs" / "render.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS)
def test_a_card_says_all_that_the_record_says(mapping):
    facts = card(mapping)
    text = "\n".join(line for _, lines in facts.sections for line in lines)
    assert (facts.title, facts.summary) == (mapping.label, mapping.summary)
    for fact in (
        mapping.equation,
        mapping.domain.description,
        mapping.loss_name,
        mapping.budget.describe(),
        mapping.limits,
    ):
        assert fact in text
    for reference in mapping.references:
        assert reference in text
    assert {law for law in LAWS if LAWS[law] in text} == mapping.laws
    assert mapping.family in text
    assert mapping.study_note in text


def test_a_card_shows_the_parameters_in_force():
    lines = dict(card(resolve_mapping("entmax:alpha=1.3")).sections)["parameters"]
    assert lines[0].startswith("alpha = 1.3 (at least 1, by default 1.5")
    assert "by default" not in dict(card(MAPPINGS["entmax"]).sections)["parameters"][0]
    assert "parameters" not in dict(card(MAPPINGS["softmax"]).sections)


def test_a_mapping_of_ones_own_gets_its_row_and_card():
    mine = dataclasses.replace(MAPPINGS["softmax"], name="mine", summary="Mine | or yours.")
    row = table([mine], "docs/mappings.md").splitlines()[-1]
    assert row.startswith("| [mine](docs/mappings.md#mine) | normalized |")
    assert "Mine \\| or yours." in row
    assert "## mine" in page([mine])


def test_the_page_has_a_section_for_every_mapping():
    text = page(MAPPINGS.values())
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(MAPPINGS)


@pytest.fixture
def checkout(tmp_path, render):
    (tmp_path / "docs").mkdir()
    places = "".join(with_place(render, name) for name in render.MAPS)
    (tmp_path / "docs" / "architecture.md").write_text(places, encoding="utf-8")
    return tmp_path


def with_place(render, name):
    return f"before\n{render.BEGIN.format(name)}\nold\n{render.END.format(name)}\nafter\n"


def test_render_writes_then_check_is_content(render, checkout, capsys):
    assert render.main(["--check"], checkout) == 1
    assert "old" in (checkout / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert render.main([], checkout) == 0
    architecture = (checkout / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert architecture.startswith("before\n")
    assert architecture.endswith("\nafter\n")
    assert "\nold\n" not in architecture
    for name, row in (("native map", "`softmax/long_softmax.hpp`"), ("triton map", "`softmax/cross_entropy.py`")):
        assert row in architecture.partition(render.BEGIN.format(name))[2].partition(render.END.format(name))[0]
    assert (checkout / "docs" / "mappings.md").exists()
    capsys.readouterr()
    assert render.main(["--check"], checkout) == 0
    assert capsys.readouterr().out == ""


def test_check_finds_an_edit_by_hand(render, checkout, capsys):
    render.main([], checkout)
    page = checkout / "docs" / "mappings.md"
    page.write_text(page.read_text(encoding="utf-8").replace("softmax", "sofmax", 1), encoding="utf-8")
    assert render.main(["--check"], checkout) == 1
    assert "mappings.md" in capsys.readouterr().err


def test_a_file_without_a_place_or_a_heading_is_an_error(render):
    with pytest.raises(ValueError, match=r"README.md needs the two lines .* once each"):
        render.with_part("no markers", "mappings", "table", "README.md")
    with pytest.raises(ValueError, match="heading '## The map' is missing"):
        render.section("# Kernels\n", "## The map")
