"""A real report of a study and one of an evaluation, made with the site: reports/study.html and reports/evaluation.html."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sphinx.application import Sphinx
from sphinx.util import logging

import lastlayer as ll
from lastlayer.evaluation import evaluate_scores
from lastlayer.report import write_html
from lastlayer.report.evaluation import write_evaluation_html
from lastlayer.study import run_study

logger = logging.getLogger(__name__)


def write_study(path: Path) -> None:
    """The report of a small study: few mappings and folds, so that the site is built quickly."""
    names = ["ratio", "sparsemax", "stablemax"]
    command = f"lastlayer study iris --mappings {','.join(names)} --folds 3 --repeats 1"
    with TemporaryDirectory() as folder:
        write_html(run_study("iris", mappings=names, folds=3, repeats=1, jobs=1, out=folder, command=command), path)


def write_evaluation(path: Path) -> None:
    """The report of a model that is too sure: the scores of a calibrated one, times 2.5."""
    random = np.random.default_rng(0)
    right = 1.5 * random.normal(size=(2000, 4))
    labels = (ll.softmax(right).cumsum(axis=1) > random.random((2000, 1))).argmax(axis=1)
    command = "lastlayer evaluate logits.npy --labels labels.npy"
    write_evaluation_html(evaluate_scores(2.5 * right, labels, command=command), path)


REPORTS: dict[str, Callable[[Path], None]] = {"study.html": write_study, "evaluation.html": write_evaluation}


def write(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.name != "html":
        return
    folder = Path(app.outdir) / "reports"
    folder.mkdir(exist_ok=True)
    for name, make in REPORTS.items():
        logger.info("writing reports/%s", name)
        make(folder / name)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
