"""What to use and how sure that is: the first lines of terminal and page, from the study's decision."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lastlayer.findings.metrics import PRIMARY
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.report.notes import warnings_of
from lastlayer.report.reading import Reading, read
from lastlayer.report.verdicts import OFTEN, margin
from lastlayer.study.schema import REFERENCE
from lastlayer.study.storage.results import StudyResults
from lastlayer.words.lists import count_word, listing, plural, sentence
from lastlayer.words.names import shorten
from lastlayer.words.numbers import THIN, decimals_for, number, share
from lastlayer.words.printable import clean

#: More mappings than this in the last group of a sentence are counted, not named.
_NAMED = 3


@dataclass(frozen=True)
class Answer:
    """`headline` says what to use, without a full stop; `reasons` say how sure that is, in whole sentences."""

    headline: str
    reasons: tuple[str, ...]


def decision_sentences(results: StudyResults) -> tuple[str, ...]:
    """What to use, in one sentence, then how sure that is.

    Raises:
        ValueError: there are no words for the decision's code.
    """
    found = answer(read(results))
    return sentence(found.headline), *found.reasons


def answer(reading: Reading) -> Answer:
    """The decision in words. Where a finding questions the whole study, the headline says so."""
    decision = reading.results.decision
    if decision.code not in DECISIONS:
        raise ValueError(f"There are no words for the decision {decision.code!r}; there are {listing(DECISIONS)}.")
    found = DECISIONS[decision.code](reading, decision.facts)
    n_warnings = len(warnings_of(reading.results))
    if not n_warnings:
        return found
    what = "the warning says" if n_warnings == 1 else "the warnings say"
    return Answer(
        f"{found.headline}, but read the {plural(n_warnings, 'warning') if n_warnings > 1 else 'warning'} first",
        (f"First check what {what}: this answer and all numbers below depend on it.", *found.reasons),
    )


def question(reading: Reading) -> str:
    """What was done to what."""
    results = reading.results
    target = f", to predict {shorten(clean(results.target), 60)}" if results.target else ""
    return (
        f"Studied: {shorten(clean(results.dataset), 80)} ({plural(results.n_samples, 'row')}, {plural(results.n_features, 'feature')}, "
        f"{plural(results.n_classes, 'class', 'classes')}{target}). {plural(len(reading.rows), 'mapping')} from scores to "
        f"probabilities, each as the last layer of one linear model, on the same {plural(reading.n_fits, 'train–test split')}."
    )


def _keep_reference(reading: Reading, facts: Mapping[str, Any]) -> Answer:
    return Answer(
        f"Keep {REFERENCE}",
        _sentences(
            _better_but_kept(reading, facts), _others(reading, facts), _skill(facts, REFERENCE), _trees(reading, facts)
        ),
    )


def _adopt(reading: Reading, facts: Mapping[str, Any]) -> Answer:
    name = _name(reading, reading.results.decision.mapping)
    difference, low, high = (abs(_number(facts, key)) for key in ("difference", "low", "high"))
    low, high = sorted((low, high))
    decimals = decimals_for([(high - low) / 2], digits=1)
    gain = (
        f"Its {PRIMARY.name} is {number(difference, decimals)} lower than {REFERENCE}’s "
        f"({number(low, decimals)} to {number(high, decimals)})."
    )
    more = [other for other in facts["better"] if other != reading.results.decision.mapping]
    too = f"{_names(reading, more)} {_are(more)} better than {REFERENCE} too." if more else ""
    return Answer(
        f"Use {name}",
        _sentences(
            f"{gain} {too}".rstrip(),
            _others(reading, facts),
            _skill(facts, name),
            "" if _number(facts, "trees_low") > 0 else _bends(reading, name),
            _trees(reading, facts),
        ),
    )


def _no_signal(reading: Reading, facts: Mapping[str, Any]) -> Answer:
    has_curve = _number(facts, "trees_low") > 0
    return Answer(
        f"{'No linear model' if has_curve else 'Nothing'} here was shown to predict better than the class frequencies",
        _sentences(
            _skill(facts, _name(reading, reading.results.decision.mapping)), _trees(reading, facts, is_in_vain=True)
        ),
    )


def _nothing_compared(reading: Reading, facts: Mapping[str, Any]) -> Answer:
    known = [(row.estimate(PRIMARY).mean, row) for row in reading.rows if math.isfinite(row.estimate(PRIMARY).mean)]
    best, row = min(known, key=lambda item: item[0], default=(math.nan, None))
    reached = "" if row is None else f"The best mean {PRIMARY.name} is {number(best, 4)} ({row.name})."
    name = _name(reading, reading.results.decision.mapping or REFERENCE)
    return Answer(
        "Nothing was compared",
        _sentences(
            f"These results have no mapping to compare with {REFERENCE}.",
            reached,
            _skill(facts, name),
            _trees(reading, facts),
        ),
    )


#: The code of a decision → its words.
DECISIONS: dict[str, Callable[[Reading, Mapping[str, Any]], Answer]] = {
    "keep_reference": _keep_reference,
    "adopt": _adopt,
    "no_signal": _no_signal,
    "nothing_compared": _nothing_compared,
}


def _better_but_kept(reading: Reading, facts: Mapping[str, Any]) -> str:
    """Why a better mapping is not advised."""
    better = facts["better"]
    if not better:
        return ""
    names, are = _names(reading, better), _are(better)
    return (
        f"{names} {are} better, but by too little to change for: {_margin(reading)} of {PRIMARY.name} is what counts."
    )


def _others(reading: Reading, facts: Mapping[str, Any]) -> str:
    """`Only ratio is worse; none of the other eight could be told apart, and a difference of 0.03 would have been noticed …`"""
    worse, equal, unclear, unknown = (facts[key] for key in ("worse", "equal", "unclear", "not_comparable"))
    groups = [
        (worse, "{} {are} worse"),
        (equal, f"{{}} {{are}} equal to {REFERENCE} within the margin of {_margin(reading)}"),
        (unclear, "{} could not be told apart"),
        (unknown, "{} could not be compared"),
    ]
    filled = [(members, words) for members, words in groups if members]
    n_others = sum(len(members) for members, _ in filled)
    parts = []
    for i, (members, words) in enumerate(filled):
        is_last = i == len(filled) - 1
        if is_last and len(members) > _NAMED:
            subject = f"{'all' if not i else 'the other'} {count_word(len(members))}"
            if members is unclear:
                subject = f"none of the {'other ' if i else ''}{count_word(len(members))}"
                words = "{} could be told apart" if i else f"{{}} could be told apart from {REFERENCE}"
        elif members is worse and len(members) == 1 and n_others > 1:
            subject = f"only {_names(reading, members)}"
        else:
            subject = _names(reading, members)
        parts.append(words.format(subject, are=_are(members)))
    detectable = _number(facts, "detectable")
    if unclear and math.isfinite(detectable):
        size = number(detectable, decimals_for([detectable], digits=1, at_least=1))
        parts.append(f"a {PRIMARY.heading} difference of {size} would have been noticed {OFTEN}")
    text = "; ".join(parts)
    # The name of a mapping is an identifier and keeps its small letter.
    return sentence(text) if text.startswith(("only ", "all ", "none ")) else f"{text}." if text else ""


def _skill(facts: Mapping[str, Any], name: str) -> str:
    """How much better than the class frequencies a mapping is."""
    skill, low, high = (_number(facts, key) for key in ("skill", "skill_low", "skill_high"))
    if not math.isfinite(skill):
        return ""
    has_interval = math.isfinite(low) and math.isfinite(high)
    if min(skill, low if has_interval else skill) > 0:
        between = f" ({share(low).removesuffix(f'{THIN}%')} to {share(high)})" if has_interval else ""
        return f"{name} removes {share(skill)} of the {PRIMARY.name} of the class frequencies{between}."
    between = f" ({number(low, 2)} to {number(high, 2)})" if has_interval else ""
    return f"{name}’s Brier skill is {number(skill, 2)}{between}; 0 is no better than the class frequencies."


def _bends(reading: Reading, name: str) -> str:
    """That the gain of a mapping whose boundary bends may be had from features."""
    try:
        laws = resolve_mapping(reading.results.decision.mapping).laws
    except (TypeError, ValueError):
        # A mapping of the user's own, whose laws are not known here.
        return ""
    if "shift_invariant" in laws or reading.results.settings.splines:
        return ""
    return (
        f"Part of the gain may be a boundary that bends: {name} depends on more than the differences of the scores. See what "
        f"{REFERENCE} does with --splines."
    )


def _trees(reading: Reading, facts: Mapping[str, Any], *, is_in_vain: bool = False) -> str:
    """What the boosted trees reach, and what that says about the model."""
    reached = facts.get("baselines", {}).get("boosted_trees")
    gain, low, high = (_number(facts, key) for key in ("trees_gain", "trees_low", "trees_high"))
    if reached is None or not math.isfinite(gain):
        return ""
    reach = f"Boosted trees reach a {PRIMARY.name} of {number(float(reached), 3)} on the same splits"
    if not low > 0:
        better = (
            "no better than the linear model"
            if high <= 0 or gain <= 0
            else "too close to the linear model’s to tell which is better"
        )
        return f"{reach}, {better}."
    if is_in_vain:
        return f"{reach}: the signal that they find has a curved boundary{_try_splines(reading)}."
    return f"{reach}: a curved boundary is what is missing, more than another mapping{_try_splines(reading)}."


def _try_splines(reading: Reading) -> str:
    return ", even with splines" if reading.results.settings.splines else "; try --splines"


def _sentences(*found: str) -> tuple[str, ...]:
    return tuple(filter(None, found))


def _number(facts: Mapping[str, Any], key: str) -> float:
    """A fact as a float; JSON holds what is missing as null and an infinity as text."""
    value = facts.get(key)
    return math.nan if value is None else float(value)


def _name(reading: Reading, label: str) -> str:
    row = reading.row(label)
    return row.name if row else shorten(clean(label), 60)


def _names(reading: Reading, labels: list[str]) -> str:
    return listing([_name(reading, label) for label in labels], at_most=6)


def _are(members: list[str]) -> str:
    return "is" if len(members) == 1 else "are"


def _margin(reading: Reading) -> str:
    return margin(PRIMARY.key, reading.results.settings.margin.get(PRIMARY.key, PRIMARY.margin))
