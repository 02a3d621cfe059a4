"""Softcap, then temperature: a(x) = softcap·tanh(x / softcap) / temperature, and its derivative."""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.elementary import exponential_and_less_one


@triton.jit
def activate(x, softcap, temperature, HAS_SOFTCAP: tl.constexpr, HAS_TEMPERATURE: tl.constexpr):
    """a(x), rounded to float32: the mapping's accuracy is that at these scores."""
    if HAS_SOFTCAP:
        v = tl.div_rn(x, softcap)
        _, less = exponential_and_less_one(-2.0 * tl.abs(v))
        size = tl.div_rn(-less, less + 2.0)
        x = softcap * tl.where(v < 0.0, -size, size)
    if HAS_TEMPERATURE:
        x = tl.div_rn(x, temperature)
    return x


@triton.jit
def pull_back(gradient, x, softcap, temperature, HAS_SOFTCAP: tl.constexpr, HAS_TEMPERATURE: tl.constexpr):
    """gradient · a′(x), a′ = sech²(x / softcap) / temperature."""
    if HAS_SOFTCAP:
        # 1 − tanh² would vanish long before sech² does.
        tail, _ = exponential_and_less_one(-2.0 * tl.abs(tl.div_rn(x, softcap)))
        gradient = gradient * tl.div_rn(4.0 * tail, (tail + 1.0) * (tail + 1.0))
    if HAS_TEMPERATURE:
        gradient = tl.div_rn(gradient, temperature)
    return gradient
