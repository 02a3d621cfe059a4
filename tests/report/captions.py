"""The figures of a report and their captions, found by key, and lines of results to compare them with."""

from __future__ import annotations

import pandas as pd
from synthetic_results import synthetic_results

from lastlayer.report.figures import Figure, build_figures
from lastlayer.report.reading import read
from lastlayer.study.schema import BASELINES
from lastlayer.study.storage.results import StudyResults


def figure(results: StudyResults, key: str) -> Figure:
    return next(figure for figure in build_figures(read(results)) if figure.key == key)


def note(results: StudyResults, key: str, title: str) -> str:
    return next(panel.note for panel in figure(results, key).panels if panel.title.startswith(title))


def of_mappings(frame: pd.DataFrame) -> pd.DataFrame:
    """The lines of the mappings, by label; figures do not show the baselines."""
    return frame[~frame["mapping"].isin(BASELINES)].set_index("mapping")


def with_summary(results: StudyResults, mapping: str, metric: str, **values: float) -> StudyResults:
    summary = results.summary.copy()
    chosen = (summary["mapping"] == mapping) & (summary["metric"] == metric)
    summary.loc[chosen, list(values)] = list(values.values())
    return synthetic_results(summary=summary)
