"""Checks the laws that a record declares, as Hypothesis properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lastlayer.checks.backend import NUMPY, Backend
from lastlayer.checks.rows import into_domain
from lastlayer.functions import loss, probabilities
from lastlayer.mappings import ProbabilityMapping

EPS = 2.0**-52
#: Multiples of 1/64 up to ±32: their sums and shifts are exact, so that only the law is tested, not rounding of its inputs.
SCORE = st.integers(-2048, 2048).map(lambda n: n / 64.0)
#: Deterministic, and without Hypothesis's explain phase, which traces every line and takes longer than all other phases.
SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)
ROWS = st.lists(SCORE, min_size=1, max_size=6).map(np.array)


def check_laws(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """Every law that the record declares holds."""

    def p(row: np.ndarray) -> np.ndarray:
        # A law that leads out of the domain must fail there: NaN rows are equal to nothing.
        return backend.to_numpy(probabilities(backend.to_array(row), mapping=mapping, on_domain="nan"))

    for law in sorted(mapping.laws):
        _property(law, mapping, p, backend)()


def _property(
    law: str, mapping: ProbabilityMapping, p: Callable[[np.ndarray], np.ndarray], backend: Backend
) -> Callable[[], None]:
    @settings(SETTINGS, max_examples=backend.examples)
    @given(ROWS, st.integers(-640, 640), st.integers(-4, 4), st.randoms(use_true_random=False))
    def holds(row: np.ndarray, shift: int, power: int, random: Any) -> None:
        row = into_domain(mapping, row)
        if mapping.domain.is_valid is not None and not bool(mapping.domain.is_valid(row, np)):
            return
        assert _CHECKS[law](mapping, p, row, shift / 64.0, 2.0**power, random), (
            f"{mapping.label} [{backend.name}] declares {law}, but not at {row!r} "
            f"(shift {shift / 64.0}, scale {2.0**power}): {p(row)!r}"
        )

    return holds  # type: ignore[no-any-return]


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal within 16 eps of each entry: far below any effect of a broken law."""
    return bool(np.all(np.abs(a - b) <= 16 * EPS * np.maximum(np.abs(a), np.abs(b)) + 16 * EPS * 1e-3))


def _sums_to_one(mapping, p, row, shift, scale, random):  # type: ignore[no-untyped-def]
    got = p(row)
    return bool((got >= 0).all()) and abs(float(got.sum()) - 1.0) <= 4 * EPS


def _full_support(mapping, p, row, shift, scale, random):  # type: ignore[no-untyped-def]
    return bool((p(row) > 0).all())


def _shift_invariant(mapping, p, row, shift, scale, random):  # type: ignore[no-untyped-def]
    return _close(p(row), p(row + shift))


def _scale_invariant(mapping, p, row, shift, scale, random):  # type: ignore[no-untyped-def]
    return _close(p(row), p(row * scale)) and _close(p(row), p(row * 3.0))


def _order_preserving(mapping, p, row, shift, scale, random):  # type: ignore[no-untyped-def]
    ordered = p(row)[np.argsort(row, kind="stable")]
    return bool((np.diff(ordered) >= 0).all())


def _permutation_equivariant(mapping, p, row, shift, scale, random):  # type: ignore[no-untyped-def]
    order = list(range(len(row)))
    random.shuffle(order)
    return _close(p(row)[order], p(row[order]))


def _convex_loss(mapping, p, row, shift, scale, random):  # type: ignore[no-untyped-def]
    other = np.array([random.randint(-512, 512) / 64.0 for _ in row])
    label = random.randrange(len(row))
    ends = [float(loss(x, label, mapping=mapping, on_domain="nan")) for x in (row, other, (row + other) / 2)]
    return ends[2] <= (ends[0] + ends[1]) / 2 * (1 + 16 * EPS) + 16 * EPS


_CHECKS: dict[str, Callable[..., bool]] = {
    "sums_to_one": _sums_to_one,
    "full_support": _full_support,
    "shift_invariant": _shift_invariant,
    "scale_invariant": _scale_invariant,
    "order_preserving": _order_preserving,
    "permutation_equivariant": _permutation_equivariant,
    "convex_loss": _convex_loss,
}
