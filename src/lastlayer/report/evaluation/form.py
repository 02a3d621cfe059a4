"""The JSON of an evaluation: its numbers, and a sentence for each finding and for the advice."""

from __future__ import annotations

from typing import Any

from lastlayer.evaluation import Evaluation
from lastlayer.findings import Finding
from lastlayer.report.evaluation.answer import advice_sentences
from lastlayer.report.notes import wording_of


def evaluation_form(evaluation: Evaluation) -> dict[str, Any]:
    """`evaluation.to_dict()` with "sentence" and "remedy" in every finding, and "sentence" in the advice.

    Raises:
        ValueError: a code has no words here.
    """
    form = evaluation.to_dict()
    for key, findings in (("findings", evaluation.findings), ("maps_left_out", evaluation.left_out)):
        form[key] = [found | _words(finding) for found, finding in zip(form[key], findings, strict=True)]
    form["advice"]["sentence"] = " ".join(advice_sentences(evaluation))
    return form


def _words(finding: Finding) -> dict[str, str]:
    wording = wording_of(finding)
    return {"sentence": wording.sentence(finding), "remedy": wording.remedy(finding)}
