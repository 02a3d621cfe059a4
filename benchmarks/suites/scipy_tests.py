"""SciPy's tests of softmax, log_softmax and logsumexp, which are in its wheel."""

from __future__ import annotations

from typing import Any

from verdict import NotApplicableError, Rule

import lastlayer as ll

NAME = "SciPy test_logsumexp.py"
TESTS = ("scipy.special.tests.test_logsumexp",)
RULES = (Rule("Result is a NumPy 0d-array", "difference", "results of NumPy scores without a batch axis"),)


def _along(function: Any, a: Any, axis: Any) -> Any:
    """SciPy's default is all axes, lastlayer's the last one."""
    from array_api_compat import array_namespace, is_array_api_obj

    if not is_array_api_obj(a):
        import numpy as np

        a = np.asarray(a)
    xp = array_namespace(a)
    if xp.isdtype(a.dtype, "complex floating"):
        raise NotApplicableError("complex scores")
    if xp.isdtype(a.dtype, "integral"):
        # SciPy gives integers the default float.
        a = xp.astype(a, xp.asarray(1.0).dtype)
    shape = a.shape
    if axis is None:
        result = function(xp.reshape(a, (-1,)), -1)
        return result, shape, xp
    if isinstance(axis, tuple):
        if len(axis) == 1:
            axis = axis[0]
        elif sorted(i % a.ndim for i in axis) == list(range(a.ndim)):
            return function(xp.reshape(a, (-1,)), -1), shape, xp
        else:
            raise NotApplicableError("several class axes")
    return function(a, axis), None, xp


def install(counted: Any) -> None:
    """Put lastlayer's three functions into scipy.special."""
    import scipy.special

    def softmax(x: Any, axis: Any = None) -> Any:
        result, shape, xp = _along(lambda a, i: ll.softmax(a, axis=i), x, axis)
        return result if shape is None else xp.reshape(result, shape)

    def log_softmax(x: Any, axis: Any = None) -> Any:
        result, shape, xp = _along(lambda a, i: ll.log_softmax(a, axis=i), x, axis)
        return result if shape is None else xp.reshape(result, shape)

    def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
        if b is not None or return_sign:
            raise NotApplicableError("logsumexp with b= or return_sign=")
        result, shape, xp = _along(lambda x, i: ll.logsumexp(x, axis=i, keepdims=keepdims), a, axis)
        if shape is not None and keepdims:
            result = xp.reshape(result, (1,) * len(shape))
        # SciPy returns NumPy scalars here; a row of docs/deviations.md names the difference.
        return result[()] if type(result).__module__ == "numpy" and result.ndim == 0 else result

    from scipy._lib._array_api import xp_capabilities_table

    for function in (softmax, log_softmax, logsumexp):
        mine = counted(function)
        # SciPy's tests look up which array libraries a function supports.
        xp_capabilities_table[mine] = xp_capabilities_table[getattr(scipy.special, function.__name__)]
        setattr(scipy.special, function.__name__, mine)
