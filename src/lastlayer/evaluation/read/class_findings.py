"""Too few rows, and classes that no row has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lastlayer.findings import Finding

#: Rows, and rows per class, below which intervals are wide.
_ROWS, _ROWS_PER_CLASS = 100, 5
#: Classes that a finding names.
_NAMED = 20


def class_findings(labels: np.ndarray, n_classes: int, names: Sequence[str] | None) -> tuple[Finding, ...]:
    """Classes without a row, and that there are few rows: below 100, or below 5 per class on average."""
    found = []
    absent = np.flatnonzero(np.bincount(labels, minlength=n_classes) == 0)
    if len(absent):
        shown = [str(i) if names is None else names[i] for i in absent[:_NAMED].tolist()]
        found.append(Finding("class_absent", "", {"classes": shown, "more": len(absent) - len(shown)}))
    if len(labels) < max(_ROWS, _ROWS_PER_CLASS * n_classes):
        found.append(Finding("few_rows", "", {"rows": len(labels), "classes": n_classes}))
    return tuple(found)
