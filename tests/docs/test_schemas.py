"""Real output of the commands is what the JSON schemas of the documents say, and other output is not."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import click.testing
import numpy as np
import pytest
from json_schema import faults, unknown_keywords
from pages import DOCS

from lastlayer.cli import app

SCHEMAS = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (DOCS / "reference/schemas").glob("*.json")
}


def output(*arguments: str) -> Any:
    """The JSON that a command prints on standard output."""
    result = click.testing.CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("schemas")


@pytest.fixture(scope="module")
def scores(folder: Path) -> Path:
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 6))
    labels = (x + random.gumbel(size=x.shape)).argmax(axis=1)
    labels[::50] = -100
    np.savez(folder / "scores.npz", scores=2 * x, labels=labels)
    return folder / "scores.npz"


def test_every_command_with_json_has_a_schema():
    with_json = {name for name, command in app.commands.items() if any("--json" in p.opts for p in command.params)}
    assert with_json - {"bench", "config"} == set(SCHEMAS)


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_uses_only_what_is_checked_here(schema):
    assert unknown_keywords(schema) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ("1", "0.5"),
        ("2", "-1", "0.5", "--label", "0"),
        ("inf", "1"),
        ("0", "0"),
        ("1", "2", "--softcap", "1", "--mappings", "ratio"),
    ],
    ids=" ".join,
)
def test_compare(arguments):
    assert faults(output("compare", *arguments), SCHEMAS["compare"]) == []


def test_study(folder):
    form = output(
        "study",
        "iris",
        "--mappings",
        "ratio,sparsemax",
        "--folds",
        "2",
        "--repeats",
        "1",
        "--out",
        str(folder / "study"),
    )
    assert faults(form, SCHEMAS["study"]) == []


def test_evaluate(scores, folder):
    form = output("evaluate", str(scores), "--out", str(folder / "evaluation"))
    assert form["findings"] or form["maps_left_out"] or form["n_left_out"]
    assert faults(form, SCHEMAS["evaluate"]) == []


def test_other_output_is_refused():
    form = output("compare", "1", "0.5")
    schema = SCHEMAS["compare"]
    renamed, missing, mistyped = (copy.deepcopy(form) for _ in range(3))
    renamed["mapping"] = renamed.pop("mappings")
    del missing["claims"]
    mistyped["mappings"][0]["probabilities"] = ["0.62"]
    for wrong in (renamed, missing, mistyped):
        assert faults(wrong, schema)
    assert faults(float("nan"), {"type": "number"})
    assert faults(True, {"type": "integer"})
