"""α-entmax: Tsallis regularization. α = 1 is softmax, α = 2 is sparsemax; a larger α is sparser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from lastlayer.mappings.double_double import extended_sum
from lastlayer.mappings.false_position import false_position
from lastlayer.mappings.normalized import NormalizedPoint
from lastlayer.mappings.record import Array, Budget, Domain, LinearModel, Namespace, Parameter, Point, device_of
from lastlayer.mappings.regularized import positive_or_one, regularized
from lastlayer.mappings.softmax import SOFTMAX
from lastlayer.mappings.softmax import carry as softmax_carry
from lastlayer.mappings.sparsemax import threshold as sparsemax_threshold
from lastlayer.mappings.tsallis import TsallisPoint, alpha_slope, bracketed_threshold, regularizer_slope


class ShannonPoint(NormalizedPoint):
    """The case α = 1: softmax, with the Fenchel–Young loss of the Shannon entropy, which is cross-entropy − H(y)."""

    def losses(self, targets: Array) -> Array:
        """KL(y ‖ p) = Σ y (log y − log p); 0·log 0 = 0."""
        xp, y = self.xp, targets
        log_y = xp.log(xp.where(y > 0, y, xp.ones_like(y)))
        terms = xp.where(y > 0, y * (log_y - self.log_probabilities()), self.scores_nan_or_zero())
        # The terms p − y of the Bregman form are left out: they sum to zero for targets that sum to one.
        return extended_sum(terms, xp)


def threshold_by_sorting(difference: Array, xp: Namespace) -> Array:
    """The threshold t of 1.5-entmax from sorted scores (Peters, Niculae & Martins 2019, algorithm 2), before Newton polish."""
    half = xp.sort(difference, axis=-1, descending=True) / 2.0
    classes = half.shape[-1]
    ranks = 1.0 + xp.astype(xp.arange(classes, device=device_of(difference)), half.dtype)
    mean = xp.cumulative_sum(half, axis=-1) / ranks
    mean_of_squares = xp.cumulative_sum(half * half, axis=-1) / ranks
    spread = ranks * (mean_of_squares - mean * mean)
    room = (1.0 - spread) / ranks
    zero = xp.zeros_like(half)
    tau = mean - xp.sqrt(xp.where(room > 0, room, zero))
    inside = tau <= half
    size = xp.sum(xp.where(inside, zero + 1.0, zero), axis=-1, keepdims=True)
    chosen = xp.sum(xp.where(ranks == size, tau, zero), axis=-1, keepdims=True)
    return -2.0 - 2.0 * chosen


def evaluate(scores: Array, xp: Namespace, alpha: Any) -> Point:
    """The Tsallis argmax, for one α or for one α per row."""
    if not isinstance(alpha, (int, float)):
        alpha = _above_one(alpha, scores, xp)
        return TsallisPoint(scores, alpha, bracketed_threshold(alpha, TRIPS_CONCAVE, halving=True), xp)
    if alpha - 1.0 < SMALLEST_RATE:
        return ShannonPoint(scores, softmax_carry, (0.0, float("inf")), False, xp)
    if alpha == 1.5:
        return TsallisPoint(scores, 1.5, threshold_by_sorting, xp)
    if alpha == 2.0:
        return TsallisPoint(scores, 2.0, sparsemax_threshold, xp)
    alpha = float(alpha)
    search = bracketed_threshold(alpha, TRIPS if alpha < 2 else TRIPS_CONCAVE, halving=alpha > 2)
    return TsallisPoint(scores, alpha, search, xp)


def evaluate_slices(scores: Array, xp: Namespace, search: Callable[..., Array], alpha: Any) -> Point:
    """The Tsallis argmax of rows whose classes lie on several processes, with their search for the threshold."""
    if not isinstance(alpha, (int, float)):
        alpha = _above_one(alpha, scores, xp)
    elif alpha - 1.0 < SMALLEST_RATE:
        return evaluate(scores, xp, alpha)
    else:
        alpha = float(alpha)
    return TsallisPoint(scores, alpha, lambda difference, _: search(difference, alpha), xp)


def _above_one(alpha: Any, scores: Array, xp: Namespace) -> Array:
    """One α per row. α < 1 gives NaN rows. α = 1 becomes the next larger number, since the formulas divide by α − 1."""
    alpha = _by_classes(alpha, scores, xp)
    return xp.where(alpha >= 1.0, xp.maximum(alpha, xp.ones_like(alpha) + SMALLEST_RATE), float("nan"))


#: The smallest α − 1 above zero in float64. Below it the mapping equals softmax to the last bit.
SMALLEST_RATE = 2.0**-52
#: Iterations of the root finder: Newton alone for α < 2; for α > 2 Newton and bisection in turns, which takes more.
TRIPS, TRIPS_CONCAVE = 30, 120


def oracle(scores: list[Any], mp: Any, alpha: Any) -> list[Any]:
    """False position on τ in p = [(α − 1)x − τ]₊^(1/(α − 1)); softmax's oracle for α = 1."""
    if alpha == 1:
        return SOFTMAX.oracle(scores, mp)
    rate = mp.mpf(alpha) - 1
    largest = max(scores)
    # Powers are what costs: equal scores share one.
    reach = Counter(rate * (score - largest) for score in scores)

    exponent = 1 / rate

    def power(r: Any, s: Any) -> Any:
        return (r + s) ** exponent if r + s > 0 else mp.mpf(0)

    def excess(s: Any) -> Any:
        return mp.fsum([times * power(r, s) for r, times in reach.items()]) - 1

    high = false_position(excess, mp)
    by_reach = {r: power(r, high) for r in reach}
    return [by_reach[rate * (score - largest)] for score in scores]


def regularizer(targets: list[Any], mp: Any, alpha: Any) -> Any:
    """Ω(y) = Σ(y^α − y)/(α(α − 1)); Σ y log y at α = 1."""
    if alpha == 1:
        return mp.fsum([y * mp.log(y) for y in targets if y])
    a = mp.mpf(alpha)
    return mp.fsum([y**a - y for y in targets]) / (a * (a - 1))


def budget(alpha: Any) -> Budget:
    """An absolute bound where the threshold has a closed form (α = 1.5 and 2); a backward bound for any other α."""
    if isinstance(alpha, (int, float)) and alpha in (1.5, 2.0):
        return Budget("absolute", float32=2, float64=2)
    return Budget("backward", float32=4, float64=4)


def tangent(p: Array, xp: Namespace, alpha: Any) -> Array:
    """s = p^(2−α) on the support."""
    return xp.where(p > 0, positive_or_one(p, xp) ** (2.0 - _by_classes(alpha, p, xp)), p * 0.0)


def _by_classes(alpha: Any, rows: Array, xp: Namespace) -> Any:
    """α with a class axis of length 1 where there is one per row; a number unchanged."""
    if isinstance(alpha, (int, float)):
        return alpha
    # torch warns when asarray gets a tensor that requires a gradient.
    array = alpha if isinstance(alpha, type(rows)) else xp.asarray(alpha)
    return xp.astype(array, rows.dtype)[..., None]


ENTMAX = regularized(
    name="entmax",
    summary="Between softmax (alpha = 1) and sparsemax (alpha = 2): sparse, but smoother than sparsemax.",
    equation="p_i = [(alpha - 1) x_i - tau]_+ ^ (1 / (alpha - 1)),  tau such that sum_i p_i = 1",
    domain=Domain("every real score"),
    evaluate=evaluate,
    evaluate_slices=evaluate_slices,
    oracle=oracle,
    regularizer_oracle=regularizer,
    tangent=tangent,
    parameter_slope=lambda p, xp, alpha: alpha_slope(p, _by_classes(alpha, p, xp), xp),
    regularizer_slope=lambda y, xp, alpha: regularizer_slope(y, _by_classes(alpha, y, xp), xp),
    laws=frozenset({"sums_to_one", "shift_invariant", "order_preserving", "permutation_equivariant", "convex_loss"}),
    budget=budget(1.5),
    budget_at=budget,
    linear=LinearModel(lambda f: f - f.mean(), intercept_constraint="sum_to_zero"),
    limits="one +inf: one-hot; several: they share equally; −inf: probability 0; all −inf: NaN",
    parameters=(
        Parameter("alpha", 1.5, minimum=1.0, per_row=True, meaning="1 is softmax, 2 is sparsemax; larger is sparser"),
    ),
    references=(
        "Peters, Niculae & Martins 2019, Sparse sequence-to-sequence models",
        "Tsallis 1988, Possible generalization of Boltzmann-Gibbs statistics",
    ),
)
