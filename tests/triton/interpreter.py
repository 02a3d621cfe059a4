"""Two changes to Triton's interpreter for these tests: it rounds to bfloat16 as a GPU does, and it starts device functions faster."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
import torch
import triton.language as tl
from triton.runtime import interpreter


def install() -> None:
    """Change the interpreter for the rest of this process."""
    builder, executor = interpreter.InterpreterBuilder, interpreter.GridExecutor
    builder.cast_impl = _cast_like_a_gpu(builder.cast_impl)
    patch = _PatchOncePerLaunch(interpreter._patch_lang)
    interpreter._patch_lang = patch
    launch = executor.__call__

    def launch_afresh(self: interpreter.GridExecutor, *arguments: Any, **options: Any) -> None:
        patch.patched.clear()
        launch(self, *arguments, **options)

    executor.__call__ = launch_afresh


def _cast_like_a_gpu(cast: Callable[..., Any]) -> Callable[..., Any]:
    """Round float32 to the nearest bfloat16, and keep subnormals: the interpreter truncates, and flushes them."""

    def cast_impl(self: interpreter.InterpreterBuilder, source: Any, to: tl.dtype) -> Any:
        types = (source.dtype.scalar, to.scalar)
        if types == (tl.float32, tl.bfloat16):
            bits = torch.from_numpy(np.ascontiguousarray(source.data)).bfloat16().view(torch.uint16).numpy()
            return interpreter.TensorHandle(bits, to.scalar)
        if types == (tl.bfloat16, tl.float32):
            wide = (source.data.astype(np.uint32) << 16).view(np.float32)
            return interpreter.TensorHandle(wide, to.scalar)
        return cast(self, source, to)

    return cast_impl


class _PatchOncePerLaunch:
    """Replaces triton.language's functions by interpreted ones once per launch.

    The interpreter does so at every call of a device function, which took three fifths of the time of these tests.
    """

    def __init__(self, patch: Callable[[FunctionType], Any]) -> None:
        self.patch = patch
        #: Modules whose functions are replaced in this launch.
        self.patched: set[int] = set()
        self.modules: dict[int, frozenset[int]] = {}

    def __call__(self, function: FunctionType) -> Any:
        names = function.__globals__
        modules = self.modules.get(id(names))
        if modules is None:
            modules = frozenset(id(value) for value in names.values() if value is tl or value is tl.core)
            self.modules[id(names)] = modules
        if modules <= self.patched:
            return _NothingToRestore()
        self.patched |= modules
        return self.patch(function)


class _NothingToRestore:
    def restore(self) -> None:
        """Whoever patched restores."""
