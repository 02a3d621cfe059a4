"""Probabilities, logarithms and log-partition compile for sm_90 without a GPU: to exact instructions, without spills."""

from __future__ import annotations

import pytest

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

import compiled_checks as checks
from compiled_checks import HERE

pytestmark = checks.needs_ptxas


@pytest.fixture(scope="module")
def kernels(tmp_path_factory) -> dict[str, dict]:
    return checks.compile_kernels(tmp_path_factory.mktemp("triton"), "rows")


def test_they_compile_and_read_wide(kernels):
    checks.check_loads(kernels)


def test_no_approximate_instruction_and_no_contraction(kernels):
    checks.check_instructions(kernels)


def test_nothing_is_spilled(kernels):
    checks.check_spills(kernels)


def test_the_search_finds_what_it_looks_for(tmp_path):
    """Triton's own exp and division are the approximate ones: a kernel of them must be found."""
    source = tmp_path / "planted.py"
    source.write_text(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import json, triton, triton.language as tl, compile_kernels\n"
        "@triton.jit\n"
        "def planted(scores, out, N, K, stride_scores, stride_out, BLOCKS: tl.constexpr, ROWS: tl.constexpr, "
        "BLOCK: tl.constexpr):\n"
        "    o = tl.arange(0, BLOCK)\n"
        "    x = tl.load(scores + o).to(tl.float32)\n"
        "    tl.store(out + o, tl.exp(x) / (x + 2.0))\n"
        "print(json.dumps(compile_kernels.compiled(planted, 'probabilities', {}, 64, 'fp32')))\n"
    )
    found = " ".join(checks.run_compiled(tmp_path, source, HERE)["inexact"])
    assert "ex2.approx" in found
    assert "div.full" in found
