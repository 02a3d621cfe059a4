"""Softcap, then temperature: a(x) = softcap·tanh(x / softcap) / temperature, and its derivative.

An activation is (softcap, temperature), each None where it is not used. Triton 3.5 cannot compare a tuple with None, so the tuple
itself is never None.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lastlayer.kernels.triton.arithmetic.elementary import exponential_and_expm1


@triton.jit
def activate(x, activation):
    """a(x), rounded to float32. A mapping's error bound holds at these rounded scores."""
    if activation[0] is not None:
        v = tl.div_rn(x, activation[0])
        _, expm1 = exponential_and_expm1(-2.0 * tl.abs(v))
        size = tl.div_rn(-expm1, expm1 + 2.0)
        x = activation[0] * tl.where(v < 0.0, -size, size)
    if activation[1] is not None:
        x = tl.div_rn(x, activation[1])
    return x


@triton.jit
def activation_vjp(gradient, x, activation):
    """gradient · a′(x), a′ = sech²(x / softcap) / temperature."""
    if activation[0] is not None:
        # sech² in terms of e^(−2|v|): 1 − tanh² would round to zero long before sech² does.
        decay, _ = exponential_and_expm1(-2.0 * tl.abs(tl.div_rn(x, activation[0])))
        gradient = gradient * tl.div_rn(4.0 * decay, (decay + 1.0) * (decay + 1.0))
    if activation[1] is not None:
        gradient = tl.div_rn(gradient, activation[1])
    return gradient
