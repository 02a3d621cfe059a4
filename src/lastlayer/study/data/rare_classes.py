"""Classes of too few rows: left out, or merged into one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lastlayer.findings import Finding
from lastlayer.study.data.target import Classes
from lastlayer.study.error import StudyError

#: Names of the class of rare ones; the first that is no class yet.
_OTHER = ("other", "other (merged)", "rare classes (merged)")
#: Classes that a finding names.
_NAMED = 12


def check_min_class(min_class: Any) -> tuple[bool, int] | None:
    """Whether to merge, and the rows that a class needs; None where every class stays.

    Raises:
        StudyError: it is neither N nor ("merge", N).
    """
    if min_class is None:
        return None
    is_merged = isinstance(min_class, (tuple, list)) and len(min_class) == 2 and min_class[0] == "merge"
    least = min_class[1] if is_merged else min_class
    if not hasattr(least, "__index__") or isinstance(least, bool) or int(least) < 1:
        raise StudyError(
            f'min_class is {min_class!r}; give the rows that a class needs, as in 10, or ("merge", 10) to make one class of '
            "those that have fewer."
        )
    return is_merged, int(least)


def without_rare(classes: Classes, column: str, min_class: Any) -> Classes:
    """The classes of at least as many rows as asked for; the others are left out (label −1) or merged into the last class.

    Raises:
        StudyError: fewer than two classes are left.
    """
    asked = check_min_class(min_class)
    counts = classes.counts
    if asked is None or counts.min() >= asked[1]:
        return classes
    is_merged, least = asked
    rare = np.flatnonzero(counts < least)
    kept = np.flatnonzero(counts >= least)
    place = np.full(len(counts) + 1, -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    names, values = [classes.names[i] for i in kept], [classes.values[i] for i in kept]
    facts: dict[str, Any] = {
        "column": column,
        "least": least,
        "classes": [[classes.names[i], int(counts[i])] for i in rare[:_NAMED]],
        "more": len(rare[_NAMED:]),
        "rows": int(counts[rare].sum()),
    }
    if is_merged:
        other = next(name for name in (*_OTHER, *(f"other {i}" for i in range(2, 999))) if name not in classes.names)
        # All as text, in the order of text: estimators sort their classes.
        before = [*names, other]
        names = sorted(before)
        place[kept] = [names.index(name) for name in before[:-1]]
        place[rare] = names.index(other)
        values = list(names)
        facts["name"] = other
    if len(names) < 2:
        most = ", ".join(f"{name} ({count})" for name, count in zip(classes.names, counts.tolist(), strict=True))
        raise StudyError(
            f"Column {column!r} has {len(kept)} class{'' if len(kept) == 1 else 'es'} of {least} rows or more, and a study needs two; "
            f"the classes are {most[:300]}. Give a smaller --min-class."
        )
    found = Finding("rare_classes_merged", facts=facts) if is_merged else Finding("rare_classes_left_out", facts=facts)
    return replace(
        classes,
        labels=place[classes.labels],
        names=tuple(names),
        values=tuple(values),
        findings=(*classes.findings, found),
    )
