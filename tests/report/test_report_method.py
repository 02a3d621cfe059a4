"""How a study was done follows from its settings and its fits; the run can be repeated and its sources found."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from page_parser import Element, parse
from synthetic_results import synthetic_results

from lastlayer.findings import Finding
from lastlayer.mappings import MAPPINGS
from lastlayer.report.colophon import references, run_facts
from lastlayer.report.method import method_paragraphs
from lastlayer.report.page import render_html
from lastlayer.report.reading import read
from lastlayer.report.training import METHODS, trainings
from lastlayer.study.schema import BASELINES


def paragraph(heading: str, **settings: Any) -> str:
    results = synthetic_results()
    results = replace(results, settings=replace(results.settings, **settings))
    return dict(method_paragraphs(read(results)))[heading]


def test_splits_are_stratified_grouped_or_in_the_order_of_time() -> None:
    assert paragraph("Splits").startswith("5 stratified folds, 2 repeats, seed 0. They are the same for every mapping.")
    grouped = paragraph("Splits", groups="patient")
    assert grouped.startswith("5 folds, 2 repeats, seed 0. Rows with the same ‘patient’ stay in one fold;")
    timed = paragraph("Splits", time="visit")
    assert timed.startswith("10 splits in the order of ‘visit’: each trains on earlier rows and tests on later ones.")
    both = paragraph("Splits", time="visit", groups="patient")
    assert "without the groups of ‘patient’ that are tested" in both


def test_the_choice_of_c_is_said() -> None:
    chosen = paragraph("Choice of C")
    assert "inner cross-validation" in chosen
    assert "within one standard error of the least" in chosen
    assert "5 values between 0.0001 and 1e4" in chosen
    assert chosen.endswith("Some choices were at its edge: hardmax.")
    assert paragraph("Choice of C", C=2.0) == "C was fixed at 2 for every mapping."


def test_splines_limits_and_power_are_said() -> None:
    assert "splines" not in paragraph("Model")
    assert "Numbers became splines" in paragraph("Model", splines=True)
    assert "--time-limit" not in paragraph("Time")
    assert paragraph("Time", time_limit=600.0).endswith(
        "No fit was started after 600\N{NARROW NO-BREAK SPACE}s (--time-limit)."
    )
    assert "stopped at a limit on work, and may do a little better than shown: spherical (2)." in paragraph("Time")
    assert "power 80 %" in paragraph("Power")


def test_the_time_of_all_fits_is_theirs() -> None:
    results = synthetic_results()
    spent = results.fits.groupby("mapping")[["fit_seconds", "search_seconds"]].sum().sum(axis=1)
    assert f"All fits together took {spent.sum():.0f}" in dict(method_paragraphs(read(results)))["Time"]
    assert f"of it for {spent.idxmax()}." in dict(method_paragraphs(read(results)))["Time"]


def test_every_mapping_and_baseline_says_how_it_was_trained() -> None:
    said = {item.name: item for item in trainings(read(synthetic_results()))}
    assert "keeps the scores of all training rows positive" in said["ratio"].text
    assert "counts as wrong" in said["ratio"].text
    assert "not convex" in said["ratio"].text
    assert "not convex" not in said["sparsemax"].text
    assert "hinge" in said["hardmax"].text
    assert "C = 1" in said["logistic regression"].text
    assert len(said) == 10 + len(BASELINES)
    assert {record.linear.method for record in MAPPINGS.values()} == set(METHODS)


@pytest.fixture(scope="module")
def document() -> Element:
    return parse(render_html(synthetic_results()))


def test_the_page_says_command_date_and_duration(document: Element) -> None:
    section = next(s for s in document.all("section") if s.attributes["aria-labelledby"] == "run")
    assert section.one("pre").text == "lastlayer study digits"
    facts = {div.one("dt").text: div.one("dd").text for div in section.one("dl").all("div")}
    assert (facts["Date"], facts["Duration"], facts["Seed"]) == ("2026-01-31 12:00", "1 min 23 s", "0")
    assert "scikit-learn" in facts["Versions"]


def test_what_is_not_known_of_the_run_is_not_said() -> None:
    facts = dict(run_facts(read(synthetic_results(started="", seconds=math.nan))))
    assert set(facts) == {"Seed", "Versions"}


def test_references_have_links(document: Element) -> None:
    items = document.one("ol", class_="references").all("li")
    linked = [li for li in items if li.all("a")]
    assert len(linked) >= len(items) - 2
    found = references(read(synthetic_results()))
    assert len({reference.text for reference in found}) == len(found) == len(items)
    for reference in found:
        assert not reference.link or reference.link.startswith("https://")


def test_your_data_says_rows_classes_and_findings(document: Element) -> None:
    finding = Finding("rows_without_target", facts={"column": "y", "rows": 920, "of": 1000})
    page = parse(render_html(synthetic_results(findings=(finding,), n_encoded_features=93)))
    section = next(s for s in page.all("section") if s.attributes["aria-labelledby"] == "data")
    assert section.all("p")[0].text.endswith("64 features, which became 93 numeric ones.")
    assert "920 of 1000 rows have no value in 'y'" in section.one("li").text
    notes = next(s for s in page.all("section") if s.attributes["aria-labelledby"] == "notes")
    assert "920 of 1000" not in notes.text
    assert [h3.text for h3 in notes.all("h3")] == ["The method"]
