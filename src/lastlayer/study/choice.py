"""Which mappings a study compares."""

from __future__ import annotations

from collections.abc import Iterable

from lastlayer.findings import Finding
from lastlayer.functions import resolve_mapping
from lastlayer.mappings import MAPPINGS, ProbabilityMapping
from lastlayer.study.error import StudyError
from lastlayer.study.schema import BASELINES, REFERENCE


def choose_mappings(
    asked: str | ProbabilityMapping | Iterable[str | ProbabilityMapping] | None,
) -> tuple[ProbabilityMapping, ...]:
    """The mappings asked for, without repetitions and with softmax among them; by default every one without a `study_note`.

    Raises:
        StudyError: a name is unknown, a parameter wrong, nothing asked for, or two different mappings share a label.
    """
    if asked is None:
        return tuple(mapping for mapping in MAPPINGS.values() if not mapping.study_note)
    names = [asked] if isinstance(asked, (str, ProbabilityMapping)) else list(asked)
    if not names:
        raise StudyError(f"No mapping was asked for; name some of {', '.join(MAPPINGS)}, or leave the choice out.")
    chosen = {REFERENCE: MAPPINGS[REFERENCE]}
    for record in map(_resolve, names):
        if record.label in BASELINES:
            raise StudyError(f"A mapping is called {record.label!r}, as one of the baselines is; give it another name.")
        if chosen.setdefault(record.label, record) != record:
            raise StudyError(f"Two different mappings are called {record.label!r}; give one of them another name.")
    # softmax goes first where it was not asked for, and otherwise where it was.
    order = dict.fromkeys(_resolve(name).label for name in names)
    return tuple(chosen[label] for label in ({REFERENCE: None} | order if REFERENCE not in order else order))


def by_promise(mappings: Iterable[ProbabilityMapping]) -> list[ProbabilityMapping]:
    """The order in which a study fits: the reference, then convex losses, then others, then those trained by other means.

    Whoever stops a study early, or limits its time, then has what is most likely to be chosen.
    """
    return sorted(
        mappings,
        key=lambda mapping: (
            mapping.label != REFERENCE,
            mapping.linear.method != "loss",
            "convex_loss" not in mapping.laws,
        ),
    )


def portable(mapping: ProbabilityMapping) -> str | ProbabilityMapping:
    """The label where that names this very mapping, which any worker and any file can hold; otherwise the record."""
    try:
        return mapping.label if resolve_mapping(mapping.label) == mapping else mapping
    except (TypeError, ValueError):
        return mapping


def left_out() -> tuple[Finding, ...]:
    """A finding for each built-in mapping that a study leaves out by default; its record says why."""
    return tuple(Finding("mapping_left_out", name) for name, mapping in MAPPINGS.items() if mapping.study_note)


def _resolve(name: str | ProbabilityMapping) -> ProbabilityMapping:
    try:
        return resolve_mapping(name)
    except (TypeError, ValueError) as error:
        raise StudyError(str(error)) from error
