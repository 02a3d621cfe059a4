"""Run the whole contract on one mapping."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from lastlayer.functions import resolve_mapping
from lastlayer.mappings import ProbabilityMapping

#: The checks by name: "module:function" of this folder. Each takes (mapping, backend) and raises AssertionError.
CHECKS: dict[str, str] = {
    "probabilities": "accuracy:check_probabilities",
    "log_probabilities": "accuracy:check_log_probabilities",
    "log_partition": "accuracy:check_log_partition",
    "half_types": "accuracy:check_half_types",
    "label_losses": "losses:check_label_losses",
    "label_gradients": "losses:check_label_gradients",
    "soft_targets": "losses:check_soft_targets",
    "options": "losses:check_options",
    "vjp": "derivatives:check_vjp",
    "log_vjp": "derivatives:check_log_vjp",
    "special_values": "edges:check_special_values",
    "one_class": "edges:check_one_class",
    "rows_are_independent": "edges:check_rows_are_independent",
    "domain": "edges:check_domain",
    "laws": "laws:check_laws",
}


def check_mapping(mapping: str | ProbabilityMapping) -> None:
    """Check that a mapping keeps the contract: error budget, gradients, losses with every option, edges, domain and laws.

    Everything runs on NumPy arrays and is compared with the record's brute-force oracle in arbitrary precision.

    Args:
        mapping: a `ProbabilityMapping`, or the name of one.

    Raises:
        AssertionError: the first check that fails, with the scores, the result and the expected result.
        RuntimeError: Python runs with -O, which removes assertions.
        ImportError: hypothesis or mpmath is missing: pip install "lastlayer[checks]".

    >>> check_mapping("ratio")
    """
    if not __debug__:
        raise RuntimeError("check_mapping is made of assertions, which python -O removes; run it without -O.")
    record = resolve_mapping(mapping)
    for name in CHECKS:
        load_check(name)(record)


def load_check(name: str) -> Callable[..., Any]:
    """The check with this name. It is imported here and not earlier, since `import lastlayer` needs no mpmath or hypothesis."""
    module, _, function = CHECKS[name].partition(":")
    try:
        loaded = importlib.import_module(f"lastlayer.checks.{module}")
    except ModuleNotFoundError as missing:
        raise ImportError(f'check_mapping needs {missing.name}: pip install "lastlayer[checks]"') from missing
    return getattr(loaded, function)  # type: ignore[no-any-return]
