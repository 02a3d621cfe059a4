"""The contract holds on every instruction set of this processor, not only on the one in use."""

from __future__ import annotations

import pytest
from running import run_python

import lastlayer as ll
from lastlayer.backends import instruction_set

kernels = pytest.importorskip("lastlayer.kernels.native", reason="install a C++ compiler and reinstall")
OTHERS = [name for name in ("baseline", "avx2", "avx512") if name != instruction_set()]
#: The checks of what the kernels compute; the other checks of the contract do arithmetic on these results.
CHECKS = ("probabilities", "log_probabilities", "log_partition", "half_types", "label_losses", "label_gradients",
          "soft_targets", "options", "special_values", "one_class", "rows_are_independent")  # fmt: skip
MAPPINGS = (*kernels.MAPPINGS, "entmax:alpha=1.3", "entmax:alpha=3", "taylor:order=6")


@pytest.mark.parametrize("family", ["normalized", "regularized"])
@pytest.mark.parametrize("name", OTHERS)
def test_each_other_instruction_set_keeps_the_contract(name, family):
    mappings = [label for label in MAPPINGS if ll.resolve_mapping(label).family == family]
    assert mappings
    result = run_python(
        "import lastlayer as ll\n"
        "from lastlayer.checks.check_mapping import load_check\n"
        "from lastlayer.backends import instruction_set\n"
        f"for mapping in {mappings!r}:\n"
        f"    for check in {CHECKS!r}:\n"
        "        load_check(check)(ll.resolve_mapping(mapping))\n"
        "print(instruction_set())",
        is_checked=False,
        LASTLAYER_ISA=name,
    )
    if "which this processor or build does not have" in result.stderr:
        pytest.skip(f"this processor has no {name}; run on one that has")
    assert result.stdout.split() == [name], result.stderr
