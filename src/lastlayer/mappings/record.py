"""The record of a mapping: one frozen object holds everything that the library knows about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np

from lastlayer.arguments import as_number, is_array

Array = Any
Namespace = Any

#: The built-in records by name; `lastlayer.mappings` fills it.
BUILT_IN: dict[str, ProbabilityMapping] = {}

#: The laws that a record may declare. `check_mapping` checks each law that a record declares.
LAWS: dict[str, str] = {
    "sums_to_one": "the probabilities of a row sum to one",
    "full_support": "every finite score gets a probability above zero",
    "shift_invariant": "adding a constant to every score changes nothing",
    "scale_invariant": "multiplying every score by a positive constant changes nothing",
    "order_preserving": "a larger score never gets a smaller probability",
    "permutation_equivariant": "reordering the classes reorders the probabilities alike",
    "convex_loss": "the loss is convex in the scores",
}


class Point(Protocol):
    """A mapping evaluated at scores of shape (..., K), with the class axis last.

    Shared intermediate results (maxima, sums, thresholds) are computed once and kept here.
    Every method is array-API code that can be traced.
    """

    def probabilities(self) -> Array:
        """p, shape (..., K)."""

    def log_probabilities(self) -> Array:
        """log p, shape (..., K); −inf where p is zero."""

    def log_partition(self) -> Array:
        """Z, shape (...): log Σ g for the normalized family, Ω*(x) for the regularized one."""

    def partition_gradient(self) -> Array:
        """∂Z/∂x, shape (..., K): g′/Σg for the normalized family, p for the regularized one."""

    def vjp(self, cotangents: Array) -> Array:
        """Σᵢ vᵢ ∂pᵢ/∂xₖ for cotangents v of shape (..., K)."""

    def log_vjp(self, cotangents: Array) -> Array:
        """Σᵢ vᵢ ∂log pᵢ/∂xₖ for cotangents v of shape (..., K)."""

    def losses(self, targets: Array) -> Array:
        """The family's loss of soft targets y (..., K), shape (...): log loss or Fenchel–Young."""

    def loss_gradient(self, targets: Array) -> Array:
        """The gradient of `losses` in the scores, shape (..., K)."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a mapping: its default, the range it may take, and whether one per row is allowed."""

    name: str
    default: Any
    minimum: float
    maximum: float = float("inf")
    even_integer: bool = False
    per_row: bool = False
    meaning: str = ""

    def read(self, value: Any) -> Any:
        """The value as a Python number; an array with one value per row is returned unchanged.

        Raises:
            TypeError: the value is not a number (or, if `per_row`, an array).
            ValueError: the value is outside [minimum, maximum], or not an even integer although `even_integer` is set.
        """
        if self.per_row and is_array(value) and not (isinstance(value, np.ndarray) and value.ndim == 0):
            # The values of a traced array cannot be read: rows whose value is out of range become NaN rows instead.
            return value
        value = as_number(self.name, value, f"a number{' or one per row' * self.per_row}")
        # Beyond 1e100 powers and their inverses overflow.
        largest = min(self.maximum, 1e100)
        if not self.minimum <= value <= largest:
            kind = "an even integer" if self.even_integer else "a number"
            raise ValueError(f"{self.name} is {value:g}; it must be {kind} from {self.minimum:g} to {largest:g}.")
        if self.even_integer and value % 2:
            raise ValueError(
                f"{self.name} is {value:g}; it must be an even integer from {self.minimum:g} to {self.maximum:g}."
            )
        return value


def device_of(array: Array) -> Any:
    """Where an array is, as array-API functions take it; None if its library has no devices."""
    return getattr(array, "device", None)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _written(value: float) -> str:
    """A number of at most 25 characters, which can be read back."""
    return repr(float(value)) if abs(value) >= 1e16 else str(value)


@dataclass(frozen=True)
class Domain:
    """The scores that a mapping accepts: a description, and a test for each row."""

    description: str
    #: (scores, xp) → boolean (...), True for the rows that have probabilities; None if all rows have.
    is_valid: Callable[[Array, Namespace], Array] | None = None
    #: What a user can do about a row outside the domain; the end of the error message.
    remedy: str = ""
    #: (scores, xp) → boolean (): a faster test of scores that are not empty. True only if every row is valid; may be False
    #: even so.
    is_plainly_valid: Callable[[Array, Namespace], Array] | None = None

    def holds_at_a_glance(self, scores: Array, xp: Namespace) -> bool:
        """The fast test of the whole array: True means that every row is valid, False that each row must be tested."""
        if self.is_valid is None:
            return True
        return self.is_plainly_valid is not None and 0 not in scores.shape and bool(self.is_plainly_valid(scores, xp))


@dataclass(frozen=True)
class Budget:
    """The error bound per dtype, for formulas and kernels alike. It is stored only here.

    `kind` says what the number n means:
    - "ulp": every probability, log-probability, label loss and label gradient is within n ULP;
    - "absolute": the error is at most n eps times the row's largest probability;
    - "backward": the result is exact for scores moved by at most n eps·max(1, |x − max|).
    """

    kind: Literal["ulp", "absolute", "backward"]
    float32: float
    float64: float

    def describe(self) -> str:
        """The bound in words, for the docs and `lastlayer explain`."""
        what = {
            "ulp": "{} ULP",
            "absolute": "{} eps of the largest probability",
            "backward": "exact for scores moved by ≤ {} eps·max(1, |x − max|)",
        }[self.kind]
        unit = " (units in the last digit)" if self.kind == "ulp" else ""
        if self.float32 == self.float64:
            return what.format(f"{self.float64:g}") + unit
        return f"{what.format(f'{self.float32:g}')} in float32, {what.format(f'{self.float64:g}')} in float64{unit}"


@dataclass(frozen=True)
class LinearModel:
    """What a linear model under this mapping needs to be well posed."""

    #: Class frequencies f (K,) → starting intercepts. With zero weights they are inside the domain.
    start_intercept: Callable[[Array], Array] = lambda frequencies: 0.0 * frequencies
    #: The constraint on the intercepts that fixes the direction which an L2 penalty on the weights leaves free.
    intercept_constraint: Literal["sum_to_zero", "sum_to_one", "unit_norm", "none"] = "none"
    #: How the model is fitted: by descent on the loss, by an interior-point path (scores must stay positive), or by margins.
    method: Literal["loss", "interior_point", "margin"] = "loss"
    #: A remark for a study: how training with free intercepts can change the mapping. Empty if there is none.
    note: str = ""


@dataclass(frozen=True)
class ProbabilityMapping:
    """A mapping from scores to probabilities, and everything that the library knows about it.

    `evaluate(scores, xp, **parameters)` returns a `Point`. Everything else (losses, gradients, tests, docs,
    the classifier, the study) is derived from this record. Build one with `normalized` or `regularized`.
    """

    name: str
    family: Literal["normalized", "regularized"]
    summary: str
    equation: str
    domain: Domain
    evaluate: Callable[..., Point]
    #: (scores as a list of mpf, mpmath, **parameters) → probabilities by brute force, with another algorithm than `evaluate`.
    oracle: Callable[..., list[Any]]
    #: (scores as a list of mpf, mpmath, **parameters) → Z, by brute force.
    log_partition_oracle: Callable[..., Any]
    laws: frozenset[str]
    budget: Budget
    linear: LinearModel
    references: tuple[str, ...]
    loss_name: str
    limits: str
    parameters: tuple[Parameter, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    #: (targets as a list of mpf, mpmath, **parameters) → Ω(y) by brute force. Regularized family only.
    regularizer_oracle: Callable[..., Any] | None = None
    #: (**parameters) → Budget, if the error bound depends on the parameters.
    budget_at: Callable[..., Budget] | None = None
    #: (p, xp, **parameters) → s, shape (..., K), such that the Jacobian of p is diag(s) − s sᵀ / Σs. The gradient of Z must be
    #: p. The regularized family has it, and softmax, which belongs to both families.
    tangent: Callable[..., Array] | None = None
    #: (p, xp, **parameters) → ∂log p/∂parameter at a fixed threshold, shape (..., K); zero where p is zero. With `tangent` it
    #: gives every derivative in a parameter that may have one value per row. Without it there is no such derivative.
    parameter_slope: Callable[..., Array] | None = None
    #: (y, xp, **parameters) → ∂Ω(y)/∂parameter, shape (...).
    regularizer_slope: Callable[..., Array] | None = None
    #: The probabilities of a row of only −inf: NaN, or the limit of equal scores that fall without bound.
    row_of_minus_inf: Literal["nan", "limit"] = "nan"
    #: (scores, xp, search, **parameters) → `Point` of rows whose classes lie in slices on several processes; the
    #: reductions of xp over the class axis are those of all slices. `search(x − max, α)` gives the threshold t of
    #: Σ exp_α(x − max + t) = 1. None: `evaluate` in the normalized family; in the regularized one there is no such evaluation.
    evaluate_slices: Callable[..., Point] | None = None
    #: Why a study omits the mapping by default; empty if it does not.
    study_note: str = ""

    def __post_init__(self) -> None:
        unknown = self.laws.difference(LAWS)
        if unknown:
            raise ValueError(f"{self.name} declares unknown laws {sorted(unknown)}; known are {sorted(LAWS)}.")
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in self.values:
            if name not in known:
                raise TypeError(f"{self.name} has no parameter {name!r}; it has {', '.join(known) or 'none'}.")
        values = {p.name: p.read(self.values[p.name]) if p.name in self.values else p.default for p in self.parameters}
        object.__setattr__(self, "values", values)
        if self.budget_at is not None:
            object.__setattr__(self, "budget", self.budget_at(**self.values))

    def __repr__(self) -> str:
        """The name and the equation."""
        return f"<ProbabilityMapping {self.label!r}: {self.equation}>"

    def replace(self, **values: Any) -> ProbabilityMapping:
        """The same mapping with other parameter values: `MAPPINGS["entmax"].replace(alpha=1.3)`."""
        return replace(self, values={**self.values, **values})

    @property
    def is_built_in(self) -> bool:
        """Whether the formulas are those of the built-in mapping of this name, whatever the parameters."""
        known = BUILT_IN.get(self.name)
        return known is not None and self.evaluate is known.evaluate

    @property
    def parameter(self) -> Any:
        """The value of the mapping's one parameter: a number, or an array with one value per row; None without a parameter."""
        return next(iter(self.values.values()), None)

    @property
    def label(self) -> str:
        """The name with the parameters that differ from their defaults: `entmax:alpha=1.3`."""
        changed = [
            f"{p.name}={_written(self.values[p.name]) if _is_number(self.values[p.name]) else 'per row'}"
            for p in self.parameters
            if not _is_number(self.values[p.name]) or self.values[p.name] != p.default
        ]
        return f"{self.name}:{','.join(changed)}" if changed else self.name

    def at(self, scores: Array, xp: Namespace) -> Point:
        """Evaluate at scores of shape (..., K) and of the working dtype; rows outside the domain give NaN."""
        if self.domain.is_valid is not None:
            # Invalid rows become NaN rows: every formula propagates NaN to all of its outputs.
            scores = xp.where(self.domain.is_valid(scores, xp)[..., None], scores, float("nan"))
        return self.evaluate(scores, xp, **self.values)
