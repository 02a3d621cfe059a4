"""Two processes: heads whose parameters are sharded for storage, replicated or adapted, against one process with all rows."""

from __future__ import annotations

import pytest
import torch
from processes import found_by_two

pytest.importorskip("transformers", reason="pip install transformers")
pytest.importorskip("peft", reason="pip install peft")
if not torch.distributed.is_available():
    pytest.skip("this build of torch has no torch.distributed", allow_module_level=True)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the first of two processes found; both are started once for all tests."""
    return found_by_two("storage_worker.py", tmp_path_factory.mktemp("storage"))


@pytest.mark.parametrize("storage", ["root", "apart", "outside", "tied", "half", "DDP", "gathering"])
@pytest.mark.parametrize("kind", ["loss", "rows", "scores", "statistics"])
def test_a_layer_stored_in_any_way(found, kind, storage):
    """In FSDP's root, as a unit, called outside of the model's forward, tied, in mixed precision, DDP, gathered in hooks."""
    facts = found["heads"][f"{kind} {storage}"]
    assert facts["loss"] < (2e-3 if storage == "half" else 1e-6)
    assert facts["gradient"] < (2e-2 if storage == "half" else 1e-6)


def test_an_optimizer_whose_state_is_sharded(found):
    assert found["zero"] < 1e-6


@pytest.mark.parametrize("order", ["use, shard", "shard, use"])
@pytest.mark.parametrize(
    "case",
    [
        "DDP None",
        "gathering None",
        *(f"{s} {a}" for s in ("root", "apart", "DDP", "gathering") for a in ("body", "head", "saved")),
    ],
)
def test_language_models(found, case, order):
    """Adapters on the body, on the head, or a head that is trained whole; loss and gradients of transformers' own loss."""
    facts = found["models"][f"{case} {order}"]
    assert facts["loss"] < 1e-6
    assert facts["gradient"] < 2e-6
    assert not facts["stored"]


@pytest.mark.parametrize("wrapper", ["fsdp", "gathering"])
def test_a_weight_is_gathered_as_often_as_without_us(found, wrapper):
    counts = found["gathers"]
    assert counts[f"{wrapper} ours"] == counts[f"{wrapper} plain"] > 0


def test_a_call_of_the_statistics_gathers_once(found):
    # Weight and bias.
    assert found["gathers"]["statistics"] == 2
