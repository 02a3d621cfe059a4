"""Findings are data: results on disk hold identifiers, numbers and the user's own texts, and reports have all the words."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

import lastlayer
from lastlayer.findings import METRICS, PRIMARY, Finding
from lastlayer.findings.json_numbers import to_json
from lastlayer.report import finding_remedy, finding_sentence, study_notes
from lastlayer.report.answer import DECISIONS
from lastlayer.report.evaluation.answer import ADVICE
from lastlayer.report.sentences import EVALUATION_SENTENCES, SENTENCES, SHARED_CODES, Group
from lastlayer.study import StudyError, StudyResults, run_study
from lastlayer.study.decision import NO_DECISION
from lastlayer.study.statistics.comparisons import Verdict

STUDY, EVALUATION, CALIBRATION = (
    Path(lastlayer.__file__).parent / room for room in ("study", "evaluation", "calibration")
)
#: What a program writes: a name, perhaps with parameters. No blank, so no sentence.
IDENTIFIER = re.compile(r"[\w:=.,+-]*")
#: Each cell of the table below is found again by the blank in it.
COLUMN, OTHER, CLASS = "a column", "the price", "one class"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a study of a table that gives rise to most findings."""
    folder = tmp_path_factory.mktemp("study")
    rows = range(60)
    frame = pd.DataFrame(
        {
            COLUMN: ["not known" if i % 9 == 0 else f"{i % 3 + i / 60:.3f}" for i in rows],
            OTHER: [f"$ {1000 + 100 * (i % 3) + i:,}" for i in rows],
            "y": ["" if i == 7 else "None" if i % 10 == 0 else (CLASS, CLASS.upper(), "b")[i % 3] for i in rows],
        }
    )
    frame.to_csv(folder / "a file.csv")
    results = run_study(folder / "a file.csv", target="y", folds=3, repeats=1, C=1e-3, out=folder)
    assert results.folder is not None
    return results.folder / "results.parquet"


def texts(value: Any) -> Iterator[str]:
    """Every string in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def test_stored_results_hold_no_sentence(stored: Path) -> None:
    table = pq.read_table(stored)
    facts = json.loads(table.schema.metadata[b"lastlayer"])
    own = {*map(str, Verdict), facts.pop("command"), facts.pop("started")}
    data = {"Unnamed: 0", COLUMN, OTHER, CLASS, CLASS.upper(), "a file.csv", "not known", "$ 1,101", "$", ","}
    found = {text for text in texts(facts) if not IDENTIFIER.fullmatch(text)} - own
    # What is left is a file's name, a column's, a class's or a cell's text.
    assert {text for text in found if not (text in data or text.startswith("$ ") or text.isspace())} == set()
    assert {COLUMN, "a file.csv", "not known"} <= found, "the test looks into what is stored"
    codes = {finding["code"] for finding in facts["findings"]}
    assert {"row_numbers_left_out", "rows_without_target", "missing_words_as_classes", "classes_alike"} <= codes
    assert {"text_read_as_numbers", "mapping_left_out", "training_note", "coarse_bins"} <= codes


def test_the_report_says_every_finding_once(stored: Path) -> None:
    results = StudyResults.read_parquet(stored)
    grouped = study_notes(results)
    assert [group for group, _ in grouped] == [group for group in Group if group in dict(grouped)]
    notes = [note for _, said in grouped for note in said]
    for finding in results.findings:
        assert finding_sentence(finding) in dict(grouped)[SENTENCES[finding.code].group]
        assert finding_sentence(finding).endswith(finding_remedy(finding))
    assert len(notes) == len(results.findings) + 3
    assert all(re.fullmatch(r"\S.*\.", note) for note in notes)
    assert len(set(notes)) == len(notes)


def codes(room: Path) -> set[str]:
    """The codes of the findings that the files of a room make."""
    made = set()
    for path in room.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                assert isinstance(node.args[0], ast.Constant), f"{path.name}: a code is written where it is found"
                made.add(node.args[0].value)
    return made


def test_every_code_has_a_sentence_and_every_sentence_a_code() -> None:
    made = codes(STUDY)
    assert made - DECISIONS.keys() == SENTENCES.keys()
    assert not DECISIONS.keys() & SENTENCES.keys()
    assert NO_DECISION.code in DECISIONS
    with pytest.raises(
        ValueError, match=r"no sentence for a finding with the code 'unheard_of'; there are row_numbers"
    ):
        finding_sentence(Finding("unheard_of"))


def test_every_code_of_an_evaluation_has_a_sentence_and_every_sentence_a_code() -> None:
    made = codes(EVALUATION) | codes(CALIBRATION)
    assert made - ADVICE.keys() == EVALUATION_SENTENCES.keys()
    assert not ADVICE.keys() & EVALUATION_SENTENCES.keys()
    assert EVALUATION_SENTENCES.keys() & SENTENCES.keys() == SHARED_CODES.keys()


def test_a_finding_survives_json() -> None:
    finding = Finding("classes_alike", "", {"column": "y", "groups": [["a", "A"]], "share": 0.1})
    assert Finding.from_form(json.loads(json.dumps(to_json(finding.form())))) == finding
    with pytest.raises(TypeError, match="is no finding"):
        Finding.from_form({"code": 1, "mapping": "", "facts": {}})


@pytest.mark.parametrize(
    ("form", "says"),
    [
        (None, r"written by an earlier version of lastlayer \(form 1; this version reads form 3\)"),
        (2, r"written by another version of lastlayer \(form 2; this version reads form 3\)"),
    ],
)
def test_results_of_another_version_are_refused_with_a_remedy(
    stored: Path, tmp_path: Path, form: int | None, says: str
) -> None:
    """Form 1 had sentences in the place of findings, which nothing can turn back into data."""
    table = pq.read_table(stored)
    facts = json.loads(table.schema.metadata[b"lastlayer"])
    facts = {name: value for name, value in facts.items() if name not in ("form", "findings")}
    facts |= {"notes": ["A sentence."], "verdicts": []} if form is None else {"form": form, "findings": []}
    other = tmp_path / "results.parquet"
    pq.write_table(table.replace_schema_metadata({b"lastlayer": json.dumps(facts).encode()}), other)
    with pytest.raises(StudyError, match=says + r"\. Run the study again, which replaces the file\.$"):
        StudyResults.read_parquet(other)


def test_metrics_know_which_way_is_better() -> None:
    assert list(METRICS) == ["brier", "accuracy", "log_loss", "ece"]
    assert next(iter(METRICS.values())) is PRIMARY
    assert all(key == metric.key for key, metric in METRICS.items())
    brier, accuracy, log_loss, _ = METRICS.values()
    assert (brier.bounds, accuracy.bounds, log_loss.bounds) == ((0, 2), (0, 1), (0, float("inf")))
    assert brier.is_improvement(-0.1)
    assert not brier.is_improvement(0.1)
    assert accuracy.is_improvement(0.1)
    assert (brier.direction, accuracy.direction) == ("lower is better", "higher is better")
    assert log_loss.largest_difference == float("inf")
