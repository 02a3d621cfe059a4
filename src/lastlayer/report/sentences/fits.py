"""What was found in the fits: what failed, stopped early, or left its domain."""

from __future__ import annotations

from lastlayer.findings import Finding
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.report.sentences.wording import Group, Wording
from lastlayer.words.lists import plural
from lastlayer.words.numbers import percent


def _mapping_left_out(finding: Finding) -> str:
    reason = resolve_mapping(finding.mapping).study_note
    return f"{finding.mapping} was left out: {reason[0].lower()}{reason[1:]}"


def _ask_by_name(finding: Finding) -> str:
    return "Ask for it by name to study it."


def _fit_failed(finding: Finding) -> str:
    return f"{finding.mapping} could not be studied, because a fit failed: {finding.facts['reason']}."


def _margin_form(finding: Finding) -> str:
    return (
        f"{finding.mapping} was trained by the margin form of its loss (scores + 1 on every class but the true one), "
        "since the loss itself is already zero when all scores are equal."
    )


def _training_note(finding: Finding) -> str:
    """What the mapping's record says; the finding itself holds it only where the mapping is not built in."""
    note = finding.facts.get("note") or resolve_mapping(finding.mapping).linear.note
    return f"{finding.mapping}: {note}"


def _coarse_bins(finding: Finding) -> str:
    bins, rows = finding.facts["bins"], finding.facts["rows"]
    return f"The calibration error of a test fold is taken over {bins} bins of about {plural(rows, 'row')}, so much of it is chance."


def _compare_it_only(finding: Finding) -> str:
    return "Compare it between mappings, and do not read its size."


def _outside_domain(finding: Finding) -> str:
    return (
        f"{finding.mapping}: {percent(finding.facts['share'])} of the test rows ({finding.facts['rows']}) have scores outside "
        "its domain; they count as wrong in accuracy, 2 in Brier score and infinite in log loss."
    )


def _zero_probability(finding: Finding) -> str:
    return (
        f"{finding.mapping}: {percent(finding.facts['share'])} of the test rows got probability 0 for their class, so its log "
        "loss is infinite."
    )


def _strength_at_edge(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"{finding.mapping}: {facts['fits']} of {plural(facts['of'], 'fit')} chose the {facts['side']} C of the grid "
        f"({facts['C']:g}), so a value beyond it may suit it better."
    )


def _not_converged(finding: Finding) -> str:
    return (
        f"{finding.mapping}: {finding.facts['fits']} of {plural(finding.facts['of'], 'fit')} had not converged when the "
        "iterations ran out, so it may do a little better than shown."
    )


def _restarts_apart(finding: Finding) -> str:
    # An infinite spread is stored as the string "inf".
    return (
        f"{finding.mapping}: its loss is not convex, and the starts ended up to {float(finding.facts['spread']):.2g} apart in "
        "the mean loss of a training row. The best of them was taken; a better one may exist."
    )


#: The code of a finding → its wording.
SENTENCES: dict[str, Wording] = {
    "mapping_left_out": Wording(Group.METHOD, _mapping_left_out, _ask_by_name),
    "fit_failed": Wording(Group.FITS, _fit_failed),
    "margin_form": Wording(Group.METHOD, _margin_form),
    "training_note": Wording(Group.METHOD, _training_note),
    "coarse_bins": Wording(Group.FITS, _coarse_bins, _compare_it_only),
    "outside_domain": Wording(Group.FITS, _outside_domain),
    "zero_probability": Wording(Group.FITS, _zero_probability),
    "strength_at_edge": Wording(Group.FITS, _strength_at_edge),
    "not_converged": Wording(Group.FITS, _not_converged),
    "restarts_apart": Wording(Group.FITS, _restarts_apart),
}
