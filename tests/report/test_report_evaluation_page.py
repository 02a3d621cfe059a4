"""The page of an evaluation: its order, its numbers, and cases in which a part of it has nothing to show."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from page_parser import Element, parse
from synthetic_evaluation import CASES, FINDINGS, synthetic_evaluation
from synthetic_results import HOSTILE

from lastlayer.evaluation import Evaluation
from lastlayer.report import ReportError
from lastlayer.report.evaluation import write_evaluation_html
from lastlayer.report.evaluation.figures import ladder_figure, reliability_figure
from lastlayer.report.evaluation.page import render_evaluation_html


def page(evaluation: Evaluation) -> Element:
    return parse(render_evaluation_html(evaluation, calibrator=Path("there/calibrator.json")))


@pytest.fixture(scope="module")
def default() -> Element:
    return page(synthetic_evaluation())


def cells(document: Element, table: str) -> dict[str, list[str]]:
    """Row header → the texts of its cells."""
    return {
        row.one("th").text: [td.text for td in row.all("td")]
        for row in document.one("table", id=table).one("tbody").all("tr")
    }


def test_answer_and_advice_come_first_and_the_contents_lead_on(default: Element) -> None:
    body = default.one("body").text
    order = ["Overconfident:", "Use temperature scaling", "How to use it.", "Key numbers", "Calibration maps"]
    places = [body.index(text) for text in order]
    assert places == sorted(places)
    headings = [h2.text for h2 in default.all("h2")]
    assert [link.text for link in default.one("nav").all("a")] == headings
    assert headings[:3] == ["Key numbers", "Calibration maps", "Figures"]


def test_warnings_come_before_the_answer() -> None:
    document = page(synthetic_evaluation(findings=FINDINGS))
    body = document.one("body").text
    assert body.index("Before you read on") < body.index("Overconfident:")
    assert len(document.one("aside").all("li")) == 7
    assert not page(synthetic_evaluation()).all("aside")


def test_the_key_numbers_are_next_to_what_they_are_compared_with(default: Element) -> None:
    found = cells(default, "metrics")
    evaluation = synthetic_evaluation()
    frequencies = evaluation.metrics["log_loss"].frequencies
    assert frequencies is not None
    assert found["Log loss"] == ["0.512 [0.481, 0.543]", f"{frequencies:.3f} frequencies"]
    assert found["Calibration error"] == ["0.083 [0.071, 0.096]", "0.000 to 0.014 if calibrated"]
    assert "Top-5 accuracy" in found
    assert "Top-5 accuracy" not in cells(page(CASES["two classes"]()), "metrics")


def test_the_ladder_has_every_map_with_its_difference_and_verdict(default: Element) -> None:
    found = cells(default, "maps")
    assert list(found) == [
        "none",
        "temperature",
        "temp. and prior",
        "vector scaling",
        "matrix scaling",
        "sparsemax",
        "entmax, alpha = 1.312",
    ]
    assert found["temperature"][:3] == ["advised", "−0.042 [−0.050, −0.034]", "0.470"]
    assert found["temperature"][-1] == "1.831 1.71 to 1.96"
    assert found["none"][:2] == ["", "–"]
    assert found["matrix scaling"][0] == "worse"
    assert found["matrix scaling"][-2:] == ["110", "–"]


def test_a_difference_whose_interval_holds_zero_is_unclear() -> None:
    evaluation = synthetic_evaluation()
    rung = evaluation.map("vector")
    unclear = replace(rung, difference=replace(rung.difference, low=-0.1, high=0.01))
    maps = tuple(unclear if found.name == "vector" else found for found in evaluation.maps)
    assert cells(page(replace(evaluation, maps=maps)), "maps")["vector scaling"][0] == "unclear"


def test_the_reliability_diagram_is_drawn_before_and_after_over_the_band() -> None:
    figure = reliability_figure(synthetic_evaluation())
    assert figure is not None
    before, after = figure.panels
    assert (before.title, after.title) == ("The model as it is", "With temperature scaling")
    assert len(before.drawing.points) == len(after.drawing.behind) == 11
    assert not before.drawing.behind
    # The band is around the diagonal: y falls in SVG where accuracy rises.
    for (x, top), (_, bottom) in zip(before.drawing.band[:11], reversed(before.drawing.band[11:]), strict=True):
        along = (x - before.drawing.x.start) / (before.drawing.x.end - before.drawing.x.start)
        diagonal = before.drawing.y.start + along * (before.drawing.y.end - before.drawing.y.start)
        assert top <= diagonal + 1e-6
        assert bottom >= diagonal - 1e-6
    assert figure.see.startswith("As it is, 11 of 11 bins outside the band")
    assert "0 of 11 bins outside" in figure.see
    alone = reliability_figure(synthetic_evaluation(advised="none", verdict="calibrated"))
    assert alone is not None
    assert len(alone.panels) == 1


def test_the_forest_has_differences_or_log_losses_where_these_are_infinite() -> None:
    differences, losses = ladder_figure(synthetic_evaluation()), ladder_figure(CASES["infinite"]())
    assert differences is not None
    assert losses is not None
    assert differences.panels[0].drawing.rows[0].value == "−0.042"
    assert differences.panels[0].drawing.reference is not None
    assert [row.value for row in losses.panels[0].drawing.rows][:2] == ["∞", "0.470"]
    assert losses.panels[0].drawing.rows[0].arrow == 1
    assert all(row.x is not None for row in losses.panels[0].drawing.rows[1:])
    assert "cannot be drawn" in losses.how
    assert ladder_figure(CASES["the model alone"]()) is None


def test_many_classes_are_cut_to_those_with_the_largest_error() -> None:
    evaluation = CASES["a thousand classes"]()
    found = cells(page(evaluation), "classes")
    worst = sorted(evaluation.classes, key=lambda line: -line["ece"])[:12]
    assert list(found) == [f"class {line['class']}" for line in worst]
    assert len(cells(page(synthetic_evaluation()), "classes")) == 10


def test_a_class_without_rows_has_a_dash() -> None:
    evaluation = synthetic_evaluation()
    empty = {**evaluation.classes[0], "rows": 0, "recall": math.nan, "precision": math.nan, "ece": math.nan}
    found = cells(page(replace(evaluation, classes=(empty, *evaluation.classes[1:]))), "classes")
    assert found["class 0"][-2:] == ["–", "–"]


def test_how_to_use_it_has_the_file_and_both_lines(default: Element) -> None:
    evaluation = synthetic_evaluation()
    code = [pre.text for pre in default.one("div", class_="model").all("pre")]
    assert 'calibrator = Calibrator.read("there/calibrator.json")' in code[0]
    assert code[1:] == [evaluation.calibrator.numpy_code, evaluation.calibrator.torch_code]


def test_probabilities_are_the_input_where_the_model_gives_these() -> None:
    evaluation = synthetic_evaluation()
    calibrator = replace(evaluation.calibrator, kind="probabilities")
    maps = tuple(replace(found, calibrator=calibrator) if found.adopted else found for found in evaluation.maps)
    code = page(replace(evaluation, maps=maps, kind="probabilities")).one("div", class_="model").all("pre")[0].text
    assert code.endswith("probabilities = calibrator.probabilities(probabilities)")


def test_the_method_says_what_the_maps_were_fitted_on() -> None:
    cross, other = (
        page(synthetic_evaluation()),
        page(synthetic_evaluation(fit_source="train.npy", n_fit_rows=300, folds=None)),
    )
    assert "cut into 5 folds" in cross.text
    assert "fitted on train.npy (300 rows) and judged on validation-scores.npy" in other.text
    groups = page(synthetic_evaluation(n_groups=40)).text
    assert "rows of one group stay in one fold" in groups
    assert "intervals over groups of rows" in groups


def test_what_is_not_there_is_not_headed() -> None:
    headings = [h2.text for h2 in page(CASES["the model alone"]()).all("h2")]
    assert "Figures" not in headings
    assert "Classes" not in headings


def test_hostile_text_stays_text() -> None:
    text = render_evaluation_html(CASES["hostile"]())
    document = parse(text)
    assert not document.all("script")
    assert not document.all("img")
    assert document.one("head").one("title").text.startswith("<script>alert(1)</script>")
    for forbidden in ("\x00", "\x07", "\x1b", "\u202e", "\ud800"):
        assert forbidden not in text
    assert any(HOSTILE[6] in name for name in cells(document, "classes")), "a template in a name is not run"


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    target = tmp_path / "taken" / "report.html"
    with pytest.raises(ReportError, match=re.escape(str(target))):
        write_evaluation_html(synthetic_evaluation(), target)
    assert write_evaluation_html(synthetic_evaluation(), tmp_path / "a" / "report.html").is_file()


def test_the_lines_of_python_name_the_real_file() -> None:
    """A matrix of a hundred numbers is read from the file, which is where the page says."""
    document = page(synthetic_evaluation(advised="matrix"))
    code = [pre.text for pre in document.all("pre") if "json.loads" in pre.text]
    assert len(code) == 2
    assert all('pathlib.Path("there/calibrator.json")' in line for line in code)
