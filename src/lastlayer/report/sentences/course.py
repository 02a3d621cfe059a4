"""What a study did not do in full: for want of time, of room, or of sense."""

from __future__ import annotations

from lastlayer.findings import Finding
from lastlayer.report.sentences.wording import Group, Wording
from lastlayer.words.lists import plural


def _out_of_time(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"{finding.mapping} is not in the tables: {plural(facts['fits'], 'fit')} of it could not be made within the time limit of "
        f"{facts['limit']:g} s."
    )


def _go_on(finding: Finding) -> str:
    return "The same command with a larger --time-limit, or without one, goes on from here."


def _fewer_splits(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"There are {plural(facts['made'], 'split')} and not {facts['folds']}: the earliest training rows lack a class, or there are "
        "too few different times."
    )


def _cut_short(finding: Finding) -> str:
    return (
        f"{finding.mapping}: {finding.facts['fits']} of {plural(finding.facts['of'], 'fit')} stopped at a limit on work, since more "
        "would have cost much more than softmax’s fit; it may do a little better than shown."
    )


def _baseline_sampled(finding: Finding) -> str:
    name = finding.mapping.replace("_", " ")
    return f"The {name} were fitted to a random part of the training rows, since all of them would take long."


def _no_boosted_trees(finding: Finding) -> str:
    facts = finding.facts
    return f"There is no row of boosted trees: with {facts['classes']} classes they would take hours (the limit is {facts['most']})."


def _predictions_not_kept(finding: Finding) -> str:
    return (
        f"There is no predictions.parquet: with {plural(finding.facts['rows'], 'row')} and "
        f"{plural(finding.facts['classes'], 'class', 'classes')} it would be larger than the study itself."
    )


def _model_failed(finding: Finding) -> str:
    return f"{finding.mapping} could not be fitted on all rows, so there is no model: {finding.facts['reason'].rstrip('.')}."


def _model_not_saved(finding: Finding) -> str:
    return (
        f"The advised model was fitted, but not saved: {finding.mapping} is a mapping of your code, and the file could not be read "
        "without trusting that code."
    )


def _refit(finding: Finding) -> str:
    return "Use results.best_estimator_ in the process that ran the study."


#: The code of a finding → its wording.
SENTENCES: dict[str, Wording] = {
    "out_of_time": Wording(Group.FITS, _out_of_time, _go_on),
    "fewer_splits": Wording(Group.METHOD, _fewer_splits),
    "cut_short": Wording(Group.FITS, _cut_short),
    "baseline_sampled": Wording(Group.METHOD, _baseline_sampled),
    "no_boosted_trees": Wording(Group.METHOD, _no_boosted_trees),
    "predictions_not_kept": Wording(Group.METHOD, _predictions_not_kept),
    "model_failed": Wording(Group.FITS, _model_failed),
    "model_not_saved": Wording(Group.FITS, _model_not_saved, _refit),
}
