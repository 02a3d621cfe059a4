"""The words for the baselines, which every study has next to its mappings."""

from __future__ import annotations

#: Label → its name in a table.
NAMES = {
    "class_frequencies": "class frequencies",
    "logistic_regression": "logistic regression",
    "boosted_trees": "boosted trees",
}
