"""The elementary functions over their whole range, in ULP against float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

import triton
import triton.language as tl
import truth

from lastlayer.kernels.triton.arithmetic import elementary as el


@triton.jit
def apply(x, out, FUNCTION: tl.constexpr, SIZE: tl.constexpr):
    o = tl.arange(0, SIZE)
    v = tl.load(x + o)
    if FUNCTION == "exp":
        v = el.exponential(v)
    elif FUNCTION == "expm1":
        _, v = el.exponential_and_expm1(v)
    elif FUNCTION == "log":
        v = el.logarithm(v)
    elif FUNCTION == "log1p":
        hi, lo = el.log1p_pair(v, 0.0 * v)
        v = hi + lo
    else:
        v = el.log1p_negative(v)
    tl.store(out + o, v)


def uniform(low: float, high: float) -> np.ndarray:
    return np.random.default_rng(5).uniform(low, high, 1 << 15)


CASES = {
    "exp": (np.exp, [uniform(-103.9, 0), -np.exp(uniform(-90, 1))]),
    "expm1": (np.expm1, [uniform(-103, 0), -np.exp(uniform(-90, 1))]),
    "log": (np.log, [np.exp(uniform(-103, 88)), uniform(0.9, 1.1)]),
    "log1p": (np.log1p, [np.exp(uniform(-103, 14)), uniform(0, 3)]),
    "log1p of negatives": (np.log1p, [uniform(-0.5, 0), -np.exp(uniform(-103, -1))]),
}


@pytest.mark.parametrize("name", CASES)
def test_within_one_ulp(name):
    function, ranges = CASES[name]
    for values in ranges:
        x = torch.from_numpy(values).float().to(truth.DEVICE)
        out = truth.nan_like(x)
        apply[(1,)](x, out, FUNCTION=name, SIZE=len(x), enable_fp_fusion=False)
        assert truth.error(out, function(truth.numbers(x))) <= 1.0
