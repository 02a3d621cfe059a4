"""Can these probabilities be trusted, and which one change makes them better: the first lines of terminal and page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from lastlayer.evaluation import Evaluation
from lastlayer.evaluation.intervals import Estimate
from lastlayer.findings import Finding
from lastlayer.report.answer import Answer
from lastlayer.report.calibration_maps import NONE, map_name, mapping_label
from lastlayer.report.evaluation.headline import headline as verdict_and_sign
from lastlayer.report.evaluation.headline import is_above, is_outside
from lastlayer.report.evaluation.numbers import between, fine_percent, loss_decimals
from lastlayer.report.notes import warnings_of, wording_of
from lastlayer.report.sentences import Group
from lastlayer.words.lists import listing, plural, sentence
from lastlayer.words.names import shorten
from lastlayer.words.numbers import number, short
from lastlayer.words.printable import clean

#: As many of 15 bins are outside their 95 % bands by chance once in 180 times.
_MANY_BINS = 4
#: Warnings of mistakes that make every probability another class's, or another number.
_MISTAKES = ("below_chance", "labels_off_by_one", "double_softmax")
_MEND_FIRST = "First mend what is said above; as the numbers are, "
_OTHER_SIGN = "; this error averages over all classes and bins, and does not show what the headline says"


def answer(evaluation: Evaluation) -> Answer:
    """The verdict with what shows it, then the advice.

    Where a finding questions the whole evaluation, the headline says so.

    Raises:
        ValueError: there are no words for the code of the advice.
    """
    headline = verdict_and_sign(evaluation)
    reasons = (*advice_sentences(evaluation), *_evidence(evaluation))
    n_warnings = len(warnings_of(evaluation))
    if not n_warnings:
        return Answer(headline, reasons)
    what = "the warning says" if n_warnings == 1 else "the warnings say"
    return Answer(
        f"{headline}, but read the {plural(n_warnings, 'warning') if n_warnings > 1 else 'warning'} first",
        (f"First check what {what}: this answer and all numbers below depend on it.", *reasons),
    )


def advice_sentences(evaluation: Evaluation) -> tuple[str, ...]:
    """What to do and what it gains.

    Raises:
        ValueError: there are no words for the code of the advice.
    """
    code = evaluation.advice.code
    if code not in ADVICE:
        raise ValueError(f"There are no words for the advice {code!r}; there are {listing(ADVICE)}.")
    first, *more = ADVICE[code](evaluation, evaluation.advice.facts)
    if any(_makes_meaningless(finding) for finding in evaluation.findings):
        first = f"{_MEND_FIRST}{first[0].lower()}{first[1:]}"
    return (first, *more)


def _makes_meaningless(finding: Finding) -> bool:
    """Whether a map would be fitted to a mistake in the file: it would hide the mistake, and help nobody."""
    if wording_of(finding).group_of(finding) != Group.WARNING:
        return False
    if finding.code == "no_information":
        return bool(finding.facts["reason"] == "opposed")
    return finding.code in _MISTAKES


def question(evaluation: Evaluation) -> str:
    """What was judged."""
    groups = "" if evaluation.n_groups is None else f" in {plural(evaluation.n_groups, 'group')}"
    numbers = evaluation.kind if evaluation.kind == "probabilities" else "scores (logits)"
    out = "" if not evaluation.n_left_out else f", {plural(evaluation.n_left_out, 'row')} left out"
    under = f" under {mapping_label(evaluation.mapping)}" if evaluation.kind == "scores" else ""
    return (
        f"Judged: {shorten(clean(evaluation.source), 80)}, {plural(evaluation.n_rows, 'row')}{groups} of {numbers} for "
        f"{plural(evaluation.n_classes, 'class', 'classes')}{under}{out}."
    )


def _evidence(evaluation: Evaluation) -> tuple[str, ...]:
    """The calibration error next to that of a calibrated model, and what a map cannot repair."""
    found = evaluation.metrics.get("ece")
    parts = []
    if found is not None and found.if_calibrated is not None:
        low, high = found.if_calibrated
        said = "above" if is_above(found) else "not above"
        # The verdict rests on something else then: without a word the two would seem to contradict each other.
        other = "" if is_above(found) or evaluation.verdict == "calibrated" else _OTHER_SIGN
        parts.append(
            f"Its calibration error is {number(found.value, 3)}, {said} the {number(low, 3)} to {number(high, 3)} that a "
            f"perfectly calibrated model shows at this number of rows and classes{other}."
        )
    parts.append(parts_of_the_loss(evaluation))
    return tuple(filter(None, parts))


def parts_of_the_loss(evaluation: Evaluation) -> str:
    """How much of the log loss calibration removes, and what stays; nothing where no map was fitted."""
    if len(evaluation.maps) == 1:
        return ""
    loss, part, rest = evaluation.metrics["log_loss"].value, evaluation.calibration_part, evaluation.remaining
    if not math.isfinite(rest.value):
        return "What calibration removes of the log loss cannot be said: with every map some true classes have the probability 0."
    if not math.isfinite(part.value) or not math.isfinite(loss):
        stays = number(rest.value, loss_decimals(evaluation))
        return f"The log loss is infinite; with calibration it is {stays}, which only better scores can lower."
    decimals = loss_decimals(evaluation)
    # The advice tests each map at a stricter level than this interval's; the two must not contradict each other.
    if evaluation.advice.mapping == NONE:
        return f"No part of the log loss of {number(loss, decimals)} can be shown to come from calibration; better scores can lower it."
    if part.value <= 0:
        return f"With a map that is chosen on other rows, the log loss of {number(loss, decimals)} does not fall."
    doubt = ", and may be chance" if part.low <= 0 else ""
    return (
        f"Of the log loss of {number(loss, decimals)} calibration removes {number(part.value, decimals)}"
        f"{between(part, decimals)}, which is {fine_percent(part.value / loss)}{doubt}; {number(rest.value, decimals)} stays, which only "
        "better scores can lower."
    )


def _advise_map(evaluation: Evaluation, facts: Mapping[str, Any]) -> tuple[str, ...]:
    name = evaluation.advice.mapping
    first = f"Use {map_name(name)}: {_what_it_does(evaluation)}. {_effect(evaluation, facts)}"
    return tuple(filter(None, (first, still_off(evaluation), _better_map(evaluation, facts))))


def _effect(evaluation: Evaluation, facts: Mapping[str, Any]) -> str:
    """How much lower the log loss is; a difference counts rows that are infinite both before and after as equal."""
    gain, low, high = (-_number(facts, key) for key in ("difference", "high", "low"))
    before, after = _number(facts, "before"), _number(facts, "log_loss")
    decimals = loss_decimals(evaluation)
    lower = f"{number(gain, decimals)} lower{between(Estimate(gain, low, high), decimals)}"
    where = "On rows that it was not fitted to, the log loss is"
    if math.isfinite(after):
        if math.isfinite(gain):
            return f"{where} {lower}: {number(after, decimals)} instead of {number(before, decimals)}."
        return f"{where} {number(after, decimals)} instead of infinite."
    if math.isfinite(gain):
        return (
            f"{where} {lower}, where rows that are infinite before and after count as equal; these give the true class the "
            "probability 0, so the log loss as a whole stays infinite."
        )
    return f"{where} infinite on fewer rows, but stays infinite as a whole."


def _advise_none(evaluation: Evaluation, facts: Mapping[str, Any]) -> tuple[str, ...]:
    if evaluation.verdict == "calibrated":
        said = "Use the probabilities as they are: no calibration map was shown to lower the log loss."
    else:
        said = (
            "Use the probabilities as they are: they are not calibrated, but no calibration map here was shown to lower the log "
            "loss."
        )
    return tuple(filter(None, (said, _better_by_chance(evaluation))))


def _better_by_chance(evaluation: Evaluation) -> str:
    """Why the map with the largest gain is not advised though its interval excludes zero."""
    tried = [found for found in evaluation.maps if found.name != NONE]
    better = [found for found in tried if found.difference.high < 0]
    if not better:
        return ""
    best = min(better, key=lambda found: found.difference.value)
    gain = number(best.difference.value, loss_decimals(evaluation), sign=True)
    why = (
        "but that is not certain enough" if len(tried) == 1 else f"but with {len(tried)} maps tried that may be chance"
    )
    return sentence(f"{map_name(best.name)} looks better by itself ({gain}), {why}")


def still_off(evaluation: Evaluation) -> str:
    """That the probabilities are far from calibrated after the advised map, or that it makes the Brier score worse."""
    advised, bins = evaluation.advised, [one for one in evaluation.reliability_after if one["n"] > 0]
    n_outside = sum(is_outside(one) for one in bins)
    said = []
    if n_outside >= max(_MANY_BINS, len(bins) / 4):
        before = evaluation.metrics["ece"].value
        said.append(
            f"After it the calibration error is {number(advised.ece, 3)}, before it {number(before, 3)}; the probabilities are still "
            f"not calibrated: {n_outside} of {len(bins)} bins of the reliability diagram are outside the band of a calibrated model."
        )
    brier = evaluation.metrics["brier"].value
    if number(advised.brier.value, 3) != number(brier, 3) and advised.brier.value > brier:
        said.append(f"The Brier score is not lower: {number(advised.brier.value, 3)} instead of {number(brier, 3)}.")
    return " ".join(said)


#: The code of an advice → its words.
ADVICE: dict[str, Callable[[Evaluation, Mapping[str, Any]], tuple[str, ...]]] = {
    "advise_none": _advise_none,
    "advise_map": _advise_map,
}


def _what_it_does(evaluation: Evaluation) -> str:
    """The change in a few words."""
    calibrator = evaluation.calibrator
    scores = "scores" if calibrator.kind == "scores" else "logarithms of the probabilities"
    if calibrator.matrix is not None:
        return f"multiply the {scores} by a matrix, and add one number per class"
    if calibrator.weight is not None:
        return f"multiply the {scores} of each class by a number, and add another one"
    change = f"divide the {scores} by {short(calibrator.temperature)}"
    if calibrator.bias is not None:
        change += ", and add one number per class"
    if calibrator.mapping != evaluation.mapping:
        change += f", and apply {mapping_label(calibrator.mapping)} instead of {mapping_label(evaluation.mapping)}"
    return change


def _better_map(evaluation: Evaluation, facts: Mapping[str, Any]) -> str:
    """That a larger map has a lower log loss, and why it is not advised."""
    name = evaluation.advice.mapping
    best = facts.get("best") or name
    # Where every log loss is infinite none is the lowest.
    if best == name or not evaluation.map(best).log_loss.value < evaluation.advised.log_loss.value:
        return ""
    return sentence(
        f"{map_name(best)} has the lowest log loss of all, but is not shown to be better, and {map_name(name)} is simpler"
    )


def _number(facts: Mapping[str, Any], key: str) -> float:
    """A fact as a float; JSON holds what is missing as null and an infinity as text."""
    value = facts.get(key)
    return math.nan if value is None else float(value)
