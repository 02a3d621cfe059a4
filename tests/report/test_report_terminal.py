"""The terminal table: it fits the width, uses more where there is room, and shows the results' numbers."""

from __future__ import annotations

import ast
import io
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from synthetic_results import HOSTILE, all_invalid_results, hostile_results, synthetic_results

from lastlayer.findings import Finding
from lastlayer.report import decision_sentences, render_table
from lastlayer.report.notes import study_notes
from lastlayer.report.reading import read
from lastlayer.study.storage.results import StudyResults


def shown(results: StudyResults, width: int, *, encoding: str = "utf-8", model: Path | None = None) -> str:
    buffer = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=buffer, width=width, legacy_windows=False)
    console.print(render_table(results, model=model))
    buffer.flush()
    raw = buffer.buffer.getvalue()  # type: ignore[attr-defined]
    return str(raw.decode(encoding))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("make", [synthetic_results, hostile_results, all_invalid_results])
def test_every_line_fits(width: int, make: object) -> None:
    lines = shown(make(), width).splitlines()  # type: ignore[operator]
    assert max(map(cell_len, lines)) <= width


def table_of(results: StudyResults, width: int) -> list[str]:
    """The lines of the table: heading, rule, mappings, a gap, baselines."""
    lines = [line.rstrip() for line in shown(results, width).splitlines()]
    start = next(i for i, line in enumerate(lines) if line.startswith("Mapping"))
    return lines[start : next(i for i, line in enumerate(lines) if i > start + 13 and line.startswith("Means over"))]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_mapping_has_one_line_with_its_verdict(width: int) -> None:
    results = synthetic_results()
    lines = table_of(results, width)
    assert lines[0].split()[:2] == ["Mapping", "Verdict"]
    words = {row.name: row.word for row in read(results).rows}
    assert [re.split(r"  +", line)[:2] for line in lines[2:12]] == [[name, word] for name, word in words.items()]
    assert [line.split("  ")[0] for line in lines[13:16]] == [
        "boosted trees",
        "logistic regression",
        "class frequencies",
    ]
    assert "…" not in "".join(lines)


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (40, ["Verdict", "Brier"]),
        (60, ["Verdict", "Brier", "Log loss", "Accuracy"]),
        (80, ["Verdict", "Difference", "Brier", "Log loss", "Accuracy"]),
        (100, ["Verdict", "Difference", "Brier", "Skill", "Log loss", "Accuracy", "ECE", "Fit"]),
    ],
)
def test_more_room_shows_more(width: int, headings: list[str]) -> None:
    assert re.split(r"  +", table_of(synthetic_results(), width)[0])[1:] == headings


def test_a_narrow_terminal_has_short_words() -> None:
    comparisons = synthetic_results().comparisons.assign(verdict="cannot be told apart")
    results = synthetic_results(comparisons=comparisons)
    assert "cannot be told apart" in "".join(table_of(results, 100))
    assert re.search("taylor +unclear", "".join(table_of(results, 60)))


def test_numbers_are_those_of_the_results() -> None:
    results = synthetic_results()
    lines = {line.split()[0]: line for line in table_of(results, 80)[2:12]}
    summary = results.summary.set_index(["mapping", "metric"])["mean"]
    differences = results.comparisons.query("metric == 'brier'").set_index("mapping")
    for mapping in results.settings.mappings:
        numbers = [float(n) for n in re.findall(r"[−+±]?\d+\.\d+", lines[mapping].replace("−", "-").replace("±", ""))]
        if mapping != "softmax":
            line = differences.loc[mapping]
            assert numbers[0] == pytest.approx(line["difference"], abs=0.00051) or numbers[0] == pytest.approx(
                abs(line["difference"]), abs=0.00051
            )
            assert numbers[1] == pytest.approx((line["high"] - line["low"]) / 2, abs=0.00051)
            numbers = numbers[2:]
        assert numbers[0] == pytest.approx(summary[mapping, "brier"], abs=0.00051)
        assert numbers[-1] == pytest.approx(summary[mapping, "accuracy"], abs=0.00051)


def test_infinite_log_loss_shows_its_share() -> None:
    line = next(text for text in table_of(synthetic_results(), 80) if text.startswith("sparsemax"))
    assert re.search(r"∞ in 3\.1\W%", line)


def test_the_decision_comes_first_then_the_model_then_the_table() -> None:
    results = synthetic_results()
    text = shown(results, 120, model=Path("out/digits/model.skops"))
    flat = " ".join(text.split())
    at = [flat.index(" ".join(said.split())) for said in decision_sentences(results)]
    assert at[0] == 0
    assert at == sorted(at)
    lines = [line.strip() for line in text.splitlines()]
    first = lines.index("import pandas as pd")
    assert lines[first + 1 : first + 3] == [
        "from lastlayer.study import load_model",
        'load_model("out/digits/model.skops").predict_proba(pd.read_csv("new.csv"))',
    ]
    assert at[-1] < flat.index("import pandas") < flat.index("Mapping Verdict")


def test_a_long_line_of_python_is_broken_where_python_allows_it() -> None:
    text = shown(synthetic_results(), 80, model=Path("lastlayer-study/a-longer-name-of-a-dataset/model.skops"))
    lines = [line.strip() for line in text.splitlines()]
    first = next(i for i, line in enumerate(lines) if line.startswith("load_model("))
    code = "\n".join(lines[first : first + 3])
    assert ast.unparse(ast.parse(code)).endswith("model.skops').predict_proba(pd.read_csv('new.csv'))")


def test_it_takes_two_screens_at_most_and_counts_what_it_leaves_out() -> None:
    findings = [Finding("not_converged", f"m{i}", {"fits": 1, "of": 10}) for i in range(30)]
    findings += [Finding("rows_without_target", facts={"column": f"c{i}", "rows": 5, "of": 9}) for i in range(30)]
    results = synthetic_results(findings=findings)
    lines = shown(results, 80).splitlines()
    assert len(lines) <= 60
    notes = sum(len(said) for _, said in study_notes(results))
    bullets = sum(line.startswith("•") for line in lines)
    assert bullets == 9
    assert lines[-1].startswith(f"{notes - bullets} more notes, every comparison, classes and figures: report.html")


def test_notes_are_grouped_and_a_failed_fit_goes_first() -> None:
    findings = [Finding("not_converged", f"m{i}", {"fits": 1, "of": 10}) for i in range(5)]
    findings += [Finding("fit_failed", "mine", {"reason": "no luck"})]
    findings += [Finding("rows_without_target", facts={"column": "c", "rows": 5, "of": 9})]
    lines = shown(synthetic_results(findings=findings), 100).splitlines()
    data, fits = lines.index("Your data"), lines.index("The fits")
    assert lines[data + 1].startswith("• 5 of 9 rows have no value")
    assert lines[fits + 1].startswith("• mine could not be studied")
    assert data < fits


def test_an_ascii_terminal_gets_ascii() -> None:
    text = shown(synthetic_results(), 80, encoding="ascii")
    assert "inf in 3.1 %" in text
    assert "softmax's" in text
    assert "?" not in text


def test_a_terminal_is_given_no_control_characters() -> None:
    text = shown(hostile_results(), 80)
    assert not set(text) & {"\x00", "\x07", "\x1b", "\u202e"}
    assert HOSTILE[0] in text, "markup is shown, not obeyed"


def test_rows_outside_the_domain_get_a_column() -> None:
    assert "Outside" in shown(synthetic_results(), 180)
    assert "Outside" not in shown(synthetic_results(("softmax", "taylor")), 180)
