"""Compiles kernels in another process, and checks what came of them: exact instructions, wide loads, no spills."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOOLS = Path(find_spec("triton").origin).parent / "backends" / "nvidia" / "bin"

needs_ptxas = pytest.mark.skipif(
    not all((TOOLS / tool).exists() for tool in ("ptxas", "cuobjdump")),
    reason=f"ptxas and cuobjdump are not in {TOOLS}; pip's triton brings them",
)


def run_compiled(cache: Path, *arguments: str | Path) -> dict:
    """Run a script that compiles, in a process of its own (in this one kernels may be interpreted); what it prints."""
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(cache)
    run = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)


def compile_kernels(cache: Path, group: str) -> dict[str, dict]:
    """The properties of each compiled kernel of a group of compile_kernels.py."""
    return run_compiled(cache, HERE / "compile_kernels.py", group)


def check_loads(kernels: dict[str, dict]) -> None:
    """Every kernel compiles, and loads vectors."""
    assert all(kernel["cubin"] > 1000 for kernel in kernels.values())
    assert [name for name, kernel in kernels.items() if not kernel["is_vectorised"] and " 1 classes" not in name] == []


def check_instructions(kernels: dict[str, dict]) -> None:
    """Neither ex2.approx, lg2.approx, div.full nor flushed subnormals, and no contracted multiplication.

    But terms of results that are rounded to a half type may be the hardware's powers of two.
    """
    found = {name: kernel["inexact"] for name, kernel in kernels.items() if kernel["inexact"]}
    halves = {name: found.pop(name) for name in list(found) if "of halves" in name}
    assert found == {}
    assert halves
    assert all(instructions == ["ex2.approx.ftz.f32"] for instructions in halves.values())
    assert [name for name, kernel in kernels.items() if kernel["is_fused"]] == []
    assert [name for name, kernel in kernels.items() if "bf16" in name and not kernel["rounds_to_bf16"]] == []


def check_spills(kernels: dict[str, dict]) -> None:
    """At most what ptxas spills to fit another program on the multiprocessor: a tile's scores are hundreds of bytes."""
    assert {name: kernel["spilled"] for name, kernel in kernels.items() if kernel["spilled"] > 48} == {}
