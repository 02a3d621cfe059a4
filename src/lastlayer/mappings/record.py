"""The contract of a mapping: one frozen record says everything the library knows about it."""

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

#: Laws a record may declare. `check_mapping` holds it to every one it names.
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
    """A mapping evaluated at scores of shape (..., K), classes last.

    What several quantities share (maxima, sums, thresholds) is computed once and kept here.
    Every method is trace-safe array-API code.
    """

    def probabilities(self) -> Array:
        """p, shape (..., K)."""

    def log_probabilities(self) -> Array:
        """log p, shape (..., K); -inf where p is zero."""

    def log_partition(self) -> Array:
        """Z, shape (...): log Σ g for the normalized family, Ω*(x) for the regularized one."""

    def partition_gradient(self) -> Array:
        """∂Z/∂x, shape (..., K): g′/Σg, which for the regularized family is p."""

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
        """The value as a Python number, or as it is where it is an array with one value per row.

        Raises:
            TypeError: the value is not a number where one is required.
            ValueError: the value is outside [minimum, maximum], or not an even integer where one is required.
        """
        if self.per_row and is_array(value) and not (isinstance(value, np.ndarray) and value.ndim == 0):
            # Rows whose value is out of range become NaN rows, since an array's values may not be looked at.
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


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True)
class Domain:
    """The scores a mapping accepts: a sentence, and a test of each row."""

    description: str
    #: (scores, xp) → boolean (...), True where the row has probabilities; None when every row has.
    is_valid: Callable[[Array, Namespace], Array] | None = None
    #: What to do about a row outside.
    remedy: str = ""
    #: (scores, xp) → boolean (): True only where every row is valid. A quicker question, of scores that are not empty.
    is_plainly_valid: Callable[[Array, Namespace], Array] | None = None

    def holds_at_a_glance(self, scores: Array, xp: Namespace) -> bool:
        """Whether every row is valid, as far as is seen without a look at each; False where that takes one."""
        if self.is_valid is None:
            return True
        return self.is_plainly_valid is not None and 0 not in scores.shape and bool(self.is_plainly_valid(scores, xp))


@dataclass(frozen=True)
class Budget:
    """The error bound, of formulas and kernels, per dtype. Stored here alone.

    `kind` says what the numbers mean:
    - "ulp": every probability, log-probability, label loss and label gradient is within so many ULP;
    - "absolute": the error is at most so many eps of the row's largest probability;
    - "backward": the result is exact for scores moved by at most so many eps·max(1, |x − max|).
    """

    kind: Literal["ulp", "absolute", "backward"]
    float32: float
    float64: float

    def describe(self) -> str:
        """The bound in words, as docs and cards print it."""
        what = {
            "ulp": "{} ULP",
            "absolute": "{} eps of the largest probability",
            "backward": "exact for scores moved by ≤ {} eps·max(1, |x − max|)",
        }[self.kind]
        if self.float32 == self.float64:
            return what.format(f"{self.float64:g}")
        return f"{what.format(f'{self.float32:g}')} in float32, {what.format(f'{self.float64:g}')} in float64"


@dataclass(frozen=True)
class LinearModel:
    """What a linear model needs to be well posed under a mapping."""

    #: Starting intercepts from the class frequencies f (K,), inside the domain when the weights are zero.
    start_intercept: Callable[[Array], Array] = lambda frequencies: 0.0 * frequencies
    #: The intercept constraint that pins the direction an L2 penalty on the weights leaves loose.
    intercept_constraint: Literal["sum_to_zero", "sum_to_one", "unit_norm", "none"] = "none"
    #: How the fit is done: on the loss itself, along an interior path (scores must stay positive), or by margins.
    method: Literal["loss", "interior_point", "margin"] = "loss"
    #: What training with free intercepts makes of the mapping, as a study tells it; empty where nothing is remarkable.
    note: str = ""


@dataclass(frozen=True)
class ProbabilityMapping:
    """A mapping from scores to probabilities, and all the library knows about it.

    `evaluate(scores, xp, **parameters)` returns a `Point`. Everything else (losses, gradients, tests, docs,
    the classifier, the study) is derived from this record. Build one with `normalized` or `regularized`.
    """

    name: str
    family: Literal["normalized", "regularized"]
    summary: str
    equation: str
    domain: Domain
    evaluate: Callable[..., Point]
    #: (scores as a list of mpf, mpmath, **parameters) → probabilities by brute force, another algorithm than `evaluate`.
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
    #: Ω(y) by brute force, for the regularized family: (targets as a list of mpf, mpmath, **parameters).
    regularizer_oracle: Callable[..., Any] | None = None
    #: The error bound at given parameter values, where it depends on them: (**parameters) → Budget.
    budget_at: Callable[..., Budget] | None = None
    #: s(p), shape (..., K), where the Jacobian of p is diag(s) − s sᵀ / Σs and the gradient of Z is p:
    #: (p, xp, **parameters). The regularized family has it, and softmax, which is of both.
    tangent: Callable[..., Array] | None = None
    #: ∂log p/∂parameter at a fixed threshold, shape (..., K), zero where p is: (p, xp, **parameters). With `tangent` it gives
    #: every derivative in a parameter that rows may have one of each; without it none is computed.
    parameter_slope: Callable[..., Array] | None = None
    #: ∂Ω(y)/∂parameter, shape (...): (y, xp, **parameters).
    regularizer_slope: Callable[..., Array] | None = None
    #: What a row of −inf alone gives: NaN, or the limit of equal scores that fall without bound.
    row_of_minus_inf: Literal["nan", "limit"] = "nan"
    #: Why a study leaves the mapping out unless it is asked for; empty when it is studied by default.
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
            f"{p.name}={self.values[p.name] if _is_number(self.values[p.name]) else 'per row'}"
            for p in self.parameters
            if not _is_number(self.values[p.name]) or self.values[p.name] != p.default
        ]
        return f"{self.name}:{','.join(changed)}" if changed else self.name

    def at(self, scores: Array, xp: Namespace) -> Point:
        """Evaluate at scores of shape (..., K) in the widest float the arrays have; rows outside the domain are NaN."""
        if self.domain.is_valid is not None:
            # Invalid rows become NaN rows, which every formula carries through to all of its outputs.
            scores = xp.where(self.domain.is_valid(scores, xp)[..., None], scores, float("nan"))
        return self.evaluate(scores, xp, **self.values)
