"""Two processes: `use_linear_loss` with FSDP in any order, and our functions on DTensors, against one process."""

from __future__ import annotations

import pytest
import torch
from processes import found_by_two

pytest.importorskip("transformers", reason="pip install transformers")
if not torch.distributed.is_available():
    pytest.skip("this build of torch has no torch.distributed", allow_module_level=True)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the first of two processes found; both are started once for all tests."""
    return found_by_two("sharded_worker.py", tmp_path_factory.mktemp("sharded"))


@pytest.mark.parametrize("order", ["use, shard", "shard, use"])
@pytest.mark.parametrize(
    ("is_apart", "tied"), [(False, False), (False, True), (True, False)], ids=["root", "tied", "head apart"]
)
def test_fsdp_in_any_order(found, order, is_apart, tied):
    facts = found[f"fsdp {order} {is_apart} {tied}"]
    assert facts["loss"] < 2e-6
    assert facts["gradient"] < 1e-5
    assert not facts["stored"]
    # remove() takes back what use_linear_loss did, and only that.
    assert facts["sharded after remove"]
    assert facts["stored after remove"]
    assert not facts["stored after use"]


def test_a_head_under_tensor_parallelism_is_refused(found):
    assert found["tensor parallel"].startswith("TypeError: the head's weight is sharded (a DTensor) by something other")


@pytest.mark.parametrize("placement", ["R", "S(0)", "S(1)", "S(2)"])
@pytest.mark.parametrize("mapping", ["softmax", "sparsemax"])
def test_dtensors_give_what_plain_tensors_give(found, placement, mapping):
    facts = found[f"dtensor {placement} {mapping}"]
    assert facts["wrong"] == []
    assert facts["count"] == 34


def test_a_plain_tensor_beside_a_dtensor(found):
    assert found["mixed"].startswith(
        "TypeError: the scores are a DTensor, but targets is a plain tensor; distribute it"
    )


def test_the_module_in_torchs_layout(found):
    assert found["criterion"] == {"equal": True}
