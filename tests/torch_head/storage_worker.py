"""One of two processes of tests/torch_head/test_storage.py: `python storage_worker.py RANK STORE RESULTS`."""

from __future__ import annotations

import copy
import json
import os
import sys
import warnings

import peft
import torch
import torch.distributed as dist
import transformers
from gathering import Gathering
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor.debug import CommDebugMode
from torch.nn.parallel import DistributedDataParallel

from lastlayer.torch import LinearLoss
from lastlayer.torch.huggingface import use_linear_loss

GENERATOR = torch.Generator().manual_seed(1)
ROWS, CLASSES, WIDTH = 12, 23, 8
INPUT = torch.randn(ROWS, WIDTH, generator=GENERATOR)
LABELS = torch.randint(CLASSES, (ROWS,), generator=GENERATOR)
TOKENS = torch.randint(97, (4, 8), generator=GENERATOR)


class Network(torch.nn.Module):
    """A layer and a head; what is asked of the head is in `output`, or outside of this forward."""

    def __init__(self, **options):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = torch.nn.Linear(WIDTH, WIDTH), LinearLoss(WIDTH, CLASSES, **options)

    def forward(self, input, labels=None, output=None):
        hidden = self.body(input).tanh()
        return hidden if output == "hidden" else self.head(hidden, labels, output=output)


class Tied(Network):
    """The head's weight is that of an embedding."""

    def __init__(self, **options):
        super().__init__(bias=False, **options)
        self.embedding = torch.nn.Embedding(CLASSES, WIDTH)
        self.embedding.weight = self.head.weight

    def forward(self, input, labels=None, output=None):
        return super().forward(input + self.embedding(LABELS[: len(input)]), labels, output)


def total(found):
    """A mean of what a head returns, in which everything has its own weight."""
    if isinstance(found, tuple):
        return (found.log_prob + 0.3 * found.entropy + 0.1 * found.logsumexp).mean()
    if found.ndim == 2:
        return found.square().mean()
    return (found * torch.linspace(1, 2, len(found))).mean() if found.ndim else found


def ask(network, output, input, labels, is_outside=False):
    if is_outside:
        hidden, head = network(input, output="hidden"), network.head
        return head.scores(hidden) if output == "scores" else getattr(head, output)(hidden, labels)
    return network(input, None if output == "scores" else labels, output=output)


def whole(tensor):
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def difference(got, want):
    return float((whole(got) - want).abs().max() / want.abs().max())


def compare(network, plain, rank, call, gradients=None):
    """Losses and gradients of half of the rows on each process, averaged, against all rows in one process."""
    halves = [call(plain, half) for half in (0, 1)]
    want = (halves[0] + halves[1]) / 2
    want.backward()
    loss = call(network, rank)
    loss.backward()
    mean = loss.detach().clone().float()
    dist.all_reduce(mean)
    named = dict(plain.named_parameters())
    found = {name.removeprefix("module."): p.grad for name, p in network.named_parameters()}
    found = found if gradients is None else gradients()
    worst = max(difference(found[name], p.grad) for name, p in named.items() if p.grad is not None)
    return {"loss": abs(float(mean / 2 - want.detach()) / float(want.detach())), "gradient": worst}


def of_head(output, is_outside=False):
    def call(network, half):
        part = slice(half * ROWS // 2, (half + 1) * ROWS // 2)
        return total(ask(network, output, INPUT[part], LABELS[part], is_outside))

    return call


def heads(rank, mesh):
    """`LinearLoss` under every way to store parameters, for every kind of output."""
    found = {}
    kinds = {"loss": ("loss", {}), "rows": ("loss", {"reduction": "none"})}
    kinds |= {name: (name, {}) for name in ("scores", "statistics")}
    for kind, (output, options) in kinds.items():
        for storage in ("root", "apart", "outside", "tied", "half", "DDP", "gathering"):
            plain = (Tied if storage == "tied" else Network)(**options)
            network, gradients = copy.deepcopy(plain), None
            if storage in ("apart", "outside", "half"):
                policy = MixedPrecisionPolicy(torch.bfloat16 if storage == "half" else None, torch.float32)
                fully_shard(network.head, mesh=mesh, mp_policy=policy)
            if storage == "DDP":
                network = DistributedDataParallel(network)
            elif storage == "gathering":
                gradients = Gathering(network).gradients
            else:
                fully_shard(network, mesh=mesh)
            is_outside = storage == "outside" and output != "loss"
            facts = compare(network, plain, rank, of_head(output, is_outside), gradients)
            found[f"{kind} {storage}"] = facts
    return found


def steps_of(network, optimiser, call, count=3):
    for _ in range(count):
        optimiser.zero_grad()
        call(network).backward()
        optimiser.step()
    return [p.detach() for p in network.parameters()]


def zero_optimiser(rank):
    """Three steps of Adam whose state is sharded, against one process with all rows."""
    plain, network = Network(), DistributedDataParallel(Network())
    # Imported here: its module warns of torch.jit, and pytest reads this file too.
    from torch.distributed.optim import ZeroRedundancyOptimizer

    optimiser = ZeroRedundancyOptimizer(network.parameters(), torch.optim.Adam, lr=1e-2)
    call = of_head("loss")
    got = steps_of(network, optimiser, lambda n: call(n, rank))
    adam = torch.optim.Adam(plain.parameters(), lr=1e-2)
    want = steps_of(plain, adam, lambda n: (call(n, 0) + call(n, 1)) / 2)
    return max(map(difference, got, want))


def language_model(adapter=None, tied=False):
    torch.manual_seed(0)
    sizes = {"vocab_size": 97, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1}
    config = transformers.LlamaConfig(**sizes, num_attention_heads=2, tie_word_embeddings=tied)
    model = transformers.LlamaForCausalLM(config).train()
    if adapter is None:
        return model
    config = peft.LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, r=3, **adapter)
    return peft.get_peft_model(model, config).train()


ADAPTERS = {
    "body": {"target_modules": ["q_proj"]},
    "head": {"target_modules": ["q_proj", "lm_head"]},
    "saved": {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
}


def tokens_loss(model, half):
    mine = TOKENS.chunk(2)[half]
    return model(input_ids=mine, labels=mine).loss


def head_of(model):
    return getattr(model, "get_base_model", lambda: model)().lm_head


def shard(model, storage, mesh):
    """The model in its wrapper, and what gives its gradients by name."""
    if storage == "DDP":
        return DistributedDataParallel(model), None
    if storage == "gathering":
        return model, Gathering(model).gradients
    if storage == "apart":
        fully_shard(head_of(model), mesh=mesh)
    return fully_shard(model, mesh=mesh), None


def language_models(rank, mesh):
    """`use_linear_loss` before and after every wrapper; adapters on the body, on the head, and a head that is trained whole."""
    found = {}
    cases = [(storage, None) for storage in ("DDP", "gathering")]
    cases += [(storage, adapter) for storage in ("root", "apart", "DDP", "gathering") for adapter in ADAPTERS]
    for storage, adapter in cases:
        for order in ("use, shard", "shard, use"):
            plain, model = (language_model(ADAPTERS.get(adapter)) for _ in range(2))
            if order == "use, shard":
                use_linear_loss(model)
            model, gradients = shard(model, storage, mesh)
            if order == "shard, use":
                use_linear_loss(model)
            facts = compare(model, plain, rank, tokens_loss, gradients)
            facts["stored"] = model(input_ids=TOKENS, labels=TOKENS).logits is not None
            found[f"{storage} {adapter} {order}"] = facts
    return found


def gathers(mesh):
    """How often weights are gathered in forward, with and without use_linear_loss, and in one call of the statistics."""
    counts = {}
    for name in ("plain", "ours"):
        model = language_model()
        if name == "ours":
            use_linear_loss(model)
        shard(model, "apart", mesh)
        model(TOKENS, labels=TOKENS)
        with CommDebugMode() as seen:
            model(TOKENS, labels=TOKENS)
        counts[f"fsdp {name}"] = seen.get_total_counts()
        model = language_model()
        if name == "ours":
            use_linear_loss(model)
        gathering = Gathering(model)
        model(TOKENS, labels=TOKENS)
        counts[f"gathering {name}"] = gathering.count
    network = Network()
    gathering = Gathering(network)
    network.head.statistics(torch.ones(2, WIDTH), LABELS[:2])
    counts["statistics"] = gathering.count
    return counts


def main(rank, store, results):
    warnings.simplefilter("ignore")
    warnings.filterwarnings("error", message=r"FSDP2-wrapped module .*(LinearLoss|Network|Tied)")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    found = {
        "heads": heads(rank, mesh),
        "zero": zero_optimiser(rank),
        "models": language_models(rank, mesh),
        "gathers": gathers(mesh),
    }
    if rank == 0:
        with open(results, "w") as file:
            json.dump(found, file)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
    # See sharded_worker.py: threads of gloo may outlive the group.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
