"""The loss kernels compile for sm_90 without a GPU: to exact instructions, without spills."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

import compiled_checks as checks
from option_types import kernel_options, types_of

pytestmark = checks.needs_ptxas


@pytest.fixture(scope="module")
def kernels(tmp_path_factory) -> dict[str, dict]:
    return checks.compile_kernels(tmp_path_factory.mktemp("triton"), "losses")


def test_they_compile_and_read_wide(kernels):
    checks.check_loads(kernels)


def test_no_approximate_instruction_and_no_contraction(kernels):
    checks.check_instructions(kernels)


def test_nothing_is_spilled(kernels):
    checks.check_spills(kernels)


def test_a_launch_binds_its_arguments(tmp_path):
    """No argument has a name that Triton's launcher takes for itself, and an option that is None is known at compile time."""
    found = checks.run_compiled(tmp_path, checks.HERE / "launch_without_gpu.py")
    # As JSON has them.
    none, every = (json.loads(json.dumps(types_of(kernel_options(has_all)))) for has_all in (False, True))
    assert "fp32" not in str(none)
    assert "constexpr" not in str(every)
    assert found == {
        "none": {"cross_entropy": none, "fenchel_young": none},
        "all": {"cross_entropy": every, "fenchel_young": every},
    }
