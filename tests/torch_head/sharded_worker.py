"""One of two processes of tests/torch_head/test_sharded.py: `python sharded_worker.py RANK STORE RESULTS`."""

from __future__ import annotations

import itertools
import json
import os
import sys
import warnings

import torch
import torch.distributed as dist
import transformers
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module

import lastlayer as ll
from lastlayer.torch import CrossEntropyLoss
from lastlayer.torch.huggingface import use_linear_loss

TOKENS = torch.randint(97, (4, 8), generator=torch.Generator().manual_seed(1))


def build(tied):
    torch.manual_seed(0)
    sizes = {"vocab_size": 97, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
    config = transformers.LlamaConfig(**sizes, num_attention_heads=2, tie_word_embeddings=tied)
    return transformers.LlamaForCausalLM(config).train()


def whole(tensor):
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def error_of(call):
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def same(got, want):
    """Whether a DTensor, gathered, is a plain tensor to a few ULP, in the same places infinite."""
    return torch.allclose(whole(got), want, rtol=1e-5, atol=1e-8)


def train_sharded(rank, mesh, order, is_apart, tied):
    """Two steps of a sharded model against the model itself on all rows."""
    plain = build(tied)
    loss = plain(TOKENS, labels=TOKENS).loss
    loss.backward()
    want = {name: p.grad for name, p in plain.named_parameters()}
    model = build(tied)
    if order == "use, shard":
        handle = use_linear_loss(model)
    if is_apart:
        fully_shard(model.lm_head, mesh=mesh)
    fully_shard(model, mesh=mesh)
    if order == "shard, use":
        use_linear_loss(model, mapping="sparsemax")
        handle = use_linear_loss(model)
    mine, facts = TOKENS.chunk(2)[rank], {"loss": 0.0, "gradient": 0.0, "stored": False}
    for _ in range(2):
        model.zero_grad()
        output = model(mine, labels=mine)
        output.loss.backward()
        mean = output.loss.detach().clone()
        dist.all_reduce(mean)
        facts["stored"] |= output.logits is not None
        facts["loss"] = max(facts["loss"], abs(float(mean / 2 - loss)))
        for name, p in model.named_parameters():
            error = float((whole(p.grad) - want[name]).abs().max() / want[name].abs().max())
            facts["gradient"] = max(facts["gradient"], error)
    handle.remove()
    facts["sharded after remove"] = isinstance(model, FSDPModule) and is_apart == isinstance(model.lm_head, FSDPModule)
    facts["stored after remove"] = model(mine, labels=mine).logits is not None
    use_linear_loss(model)
    facts["stored after use"] = model(mine, labels=mine).logits is not None
    return facts


def refuse_tensor_parallel(mesh):
    model = parallelize_module(build(False), mesh, {"lm_head": ColwiseParallel()})
    return error_of(lambda: use_linear_loss(model))


class Rows:
    """Scores, cotangents and targets of every kind, and what of ours computes with plain tensors."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.scores, self.cotangent = (torch.randn(4, 6, 5, generator=generator) for _ in range(2))
        labels = torch.randint(5, (4, 6), generator=generator)
        labels[0, 1] = labels[2:] = -100
        labels[3, 0] = 1
        soft = torch.randn(4, 6, 5, generator=generator).softmax(-1)
        self.targets = {"labels": labels, "soft": soft}
        self.class_weight = torch.rand(5, generator=generator) + 0.5
        self.sample_weight = torch.rand(4, 6, generator=generator)


def dtensor_cases(mesh, placement, mapping):
    """Every quantity and loss of DTensors against plain tensors: how many, and which differ."""
    data, count, wrong = Rows(), 0, []

    def share(tensor):
        is_whole = tensor is not None and placement == Shard(2) and tensor.ndim < 3
        return None if tensor is None else distribute_tensor(tensor, mesh, [Replicate() if is_whole else placement])

    def finite(tensor):
        return torch.where(tensor.isfinite(), tensor, 0.0)

    x = data.scores if ll.resolve_mapping(mapping).domain.is_valid is None else data.scores.abs()
    for quantity in ("probabilities", "log_probabilities"):
        function = getattr(ll, quantity)
        plain, shared = x.clone().requires_grad_(), share(x).requires_grad_()
        want, got = function(plain, mapping=mapping), function(shared, mapping=mapping)
        (finite(want) * data.cotangent).sum().backward()
        (finite(got) * share(data.cotangent)).sum().backward()
        is_kept = placement == Shard(2) or got.placements == (placement,)
        count += 1
        if not (same(got, want) and same(shared.grad, plain.grad) and is_kept):
            wrong.append(quantity)
    for (kind, targets), reduction, *weights in itertools.product(
        data.targets.items(), ("mean", "sum", "none", "parts"), (None, data.class_weight), (None, data.sample_weight)
    ):
        plain, shared = x.clone().requires_grad_(), share(x).requires_grad_()
        class_weight = None if weights[0] is None else distribute_tensor(weights[0], mesh, [Replicate()])
        options = {"mapping": mapping, "reduction": reduction}
        want = ll.loss(plain, targets, weight=weights[0], sample_weight=weights[1], **options)
        got = ll.loss(shared, share(targets), weight=class_weight, sample_weight=share(weights[1]), **options)
        if reduction != "parts":
            want, got = (want,), (got,)
        finite(want[0]).sum().backward()
        finite(got[0]).sum().backward()
        count += 1
        if not (all(map(same, got, want)) and same(shared.grad, plain.grad)):
            wrong.append(f"{kind} {reduction} {[w is not None for w in weights]}")
    return {"count": count, "wrong": wrong}


def mixed(mesh):
    data = Rows()
    shared = distribute_tensor(data.scores, mesh, [Shard(0)])
    return error_of(lambda: ll.loss(shared, data.targets["soft"]))


def criterion(mesh):
    """The module in torch's layout, with rows sharded along the first axis."""
    data = Rows()
    x, y = data.scores.movedim(-1, 1).contiguous(), data.targets["labels"]
    got = CrossEntropyLoss()(distribute_tensor(x, mesh, [Shard(0)]), distribute_tensor(y, mesh, [Shard(0)]))
    return {"equal": same(got, CrossEntropyLoss()(x, y))}


def main(rank, store, results):
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    found = {}
    for order, is_apart, tied in itertools.product(("use, shard", "shard, use"), (False, True), (False, True)):
        # A tied weight belongs to one unit: torch refuses a head of its own there.
        if not (is_apart and tied):
            found[f"fsdp {order} {is_apart} {tied}"] = train_sharded(rank, mesh, order, is_apart, tied)
    found["tensor parallel"] = refuse_tensor_parallel(mesh)
    for placement, mapping in itertools.product((Replicate(), Shard(0), Shard(1), Shard(2)), ("softmax", "sparsemax")):
        try:
            found[f"dtensor {placement} {mapping}"] = dtensor_cases(mesh, placement, mapping)
        except Exception as error:
            # Both processes fail alike, so that the other cases go on.
            found[f"dtensor {placement} {mapping}"] = {"count": 0, "wrong": [f"{type(error).__name__}: {error}"]}
    found["mixed"], found["criterion"] = mixed(mesh), criterion(mesh)
    if rank == 0:
        with open(results, "w") as file:
            json.dump(found, file)
    # Neither process takes its connections down while the other still uses them.
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
    # Threads of gloo may outlive the group, for the mesh still refers to it. One that asks for the interpreter's lock
    # while the interpreter ends is unwound through C++, which aborts the process. So the process ends here.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
