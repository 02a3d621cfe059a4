"""Taylor softmax: g is the Taylor polynomial of exp at zero. Its order is even, which makes it positive everywhere."""

from __future__ import annotations

import math
from typing import Any

from lastlayer.mappings.carried import Carried
from lastlayer.mappings.double_double import Pair, add, divide, multiply, power_of_two
from lastlayer.mappings.normalized import normalized
from lastlayer.mappings.record import Array, Budget, Domain, LinearModel, Namespace, Parameter


def polynomial(y: Array, scale: Array, order: int, degree: int) -> Pair:
    """Σ_{j ≤ degree} (order!/j!) (y/s)^j s^degree by Horner's rule in double-double, homogeneous in y and the scale s.

    The coefficients order!/j! are integers, exact in float64 up to order 18. Around x = −1 the terms nearly cancel: plain
    Horner would lose dozens of ULP there.
    """
    zero = 0.0 * y
    total = Pair(zero + float(math.factorial(order) // math.factorial(degree)), zero)
    weight = Pair(scale + zero, zero)
    for j in reversed(range(degree)):
        coefficient = float(math.factorial(order) // math.factorial(j))
        term = Pair(weight.hi * coefficient, zero)
        total = add(multiply(total, Pair(y, zero)), term)
        weight = Pair(weight.hi * scale, zero)
    return total


#: If the row is scaled by less than 2^-20, its smallest g may underflow when divided by order!; such rows are scaled up first.
FAR = 20.0


def without_factorial(total: Pair, lift: Array, order: int) -> Pair:
    """total·lift / order!. Dividing here avoids the cancellation of subtracting log order! from log g."""
    hi, lo = total.hi * lift, total.lo * lift
    if order == 2:
        return Pair(0.5 * hi, 0.5 * lo)
    zero = 0.0 * hi
    return divide(Pair(hi, lo), Pair(zero + float(math.factorial(order)), zero))


def carry(scores: Array, xp: Namespace, order: int) -> Carried:
    """g·s^order, where s is an exact power of two that scales the largest |x| of the row to about one."""
    largest = xp.max(xp.abs(scores), axis=-1, keepdims=True)
    scale, k = power_of_two(xp.where(largest > 1.0, largest, xp.ones_like(largest)), xp)
    order = int(order)
    y = scores * scale
    m = math.factorial(order).bit_length() - 1
    lift = xp.where(k < -FAR, xp.full_like(k, 2.0**m), xp.ones_like(k))
    lift_bits = xp.where(k < -FAR, xp.full_like(k, float(m)), xp.zeros_like(k))

    def derivative() -> Pair:
        # g′ is the polynomial of one degree less, so one factor of the scale is left over.
        lower = without_factorial(polynomial(y, scale, order, order - 1), lift, order)
        return Pair(lower.hi * scale, lower.lo * scale)

    def slope() -> Array:
        z, s = _scale_each(scores, xp)
        return divide(polynomial(z, s, order, order - 1), polynomial(z, s, order, order)).value() * s

    def log_g() -> Array:
        z, s = _scale_each(scores, xp)
        return xp.log(polynomial(z, s, order, order).hi) - order * xp.log(s) - math.log(math.factorial(order))

    return Carried(
        mantissa=without_factorial(polynomial(y, scale, order, order), lift, order),
        derivative=derivative,
        slope=slope,
        log2_scale=order * k + lift_bits,
        log_g=log_g,
    )


def _scale_each(scores: Array, xp: Namespace) -> tuple[Array, Array]:
    """Each score times a power of two, and that power: one per score, for quantities of a single class."""
    size = xp.abs(scores)
    scale, _ = power_of_two(xp.where(size > 1.0, size, xp.ones_like(size)), xp)
    return scores * scale, scale


def g(score: Any, mp: Any, order: int) -> Any:
    """Σ_{j ≤ order} x^j / j!."""
    return mp.fsum([score**j / mp.factorial(j) for j in range(int(order) + 1)])


TAYLOR = normalized(
    name="taylor",
    summary="Softmax with the exponential replaced by its Taylor polynomial: close to softmax for small scores, heavy-tailed for large.",
    equation="p_i = g(x_i) / sum_j g(x_j),  g(x) = 1 + x + x^2/2 + ... + x^order/order!",
    domain=Domain("every real score"),
    carry=carry,
    g_oracle=g,
    limits_of_g=(float("inf"), float("inf")),
    laws=frozenset({"sums_to_one", "full_support", "permutation_equivariant"}),
    budget=Budget("ulp", float32=1, float64=2),
    linear=LinearModel(),
    limits="one score of ±inf: one-hot; several: they share equally; an infinite score has slope 0 in loss and Z",
    row_of_minus_inf="limit",
    parameters=(
        Parameter(
            "order", 2, minimum=2, maximum=18, even_integer=True, meaning="order of the polynomial, even: 2, 4, …, 18"
        ),
    ),
    references=(
        "Vincent, de Brébisson & Bouthillier 2015, Efficient exact gradient update for training deep networks with very large sparse targets",
        "de Brébisson & Vincent 2016, An exploration of softmax alternatives belonging to the spherical loss family",
    ),
)
