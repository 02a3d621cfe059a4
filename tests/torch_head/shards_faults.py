"""What a head in slices refuses, with the same error everywhere; what it sends; and wrong heads that the comparison must reject."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import datetime
import os
import pickle

import torch
import torch.distributed as dist
from shards_cases import CLASSES, FEATURES, ROWS, head, loss_case, mine
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Shard, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from lastlayer.mappings import MAPPINGS
from lastlayer.torch import LinearLoss, SparseTargets, linear_loss, linear_statistics
from lastlayer.torch.linear.sharded import formula_rows
from lastlayer.torch.linear.sharded.call import Call
from lastlayer.torch.linear.sharded.softmax_rows import SoftmaxRows
from lastlayer.torch.linear.sharded.wire import Wire


def error_of(call):
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def everywhere(message):
    """The messages of all processes."""
    found = [None] * dist.get_world_size()
    dist.all_gather_object(found, message)
    return found


def mismatches():
    """One process of two differs in one thing; what each of them raises."""
    is_odd = dist.get_rank() == 1
    tensors, labels = head("softmax", torch.float32)
    cut = mine(2)
    input, weight, bias = tensors[0], tensors[1][cut], tensors[2][cut]

    def call(input=input, weight=weight, labels=labels, function=linear_loss, **options):
        return error_of(lambda: function(input, weight, labels, group=dist.group.WORLD, **options))

    def odd(**options):
        return call(**options) if is_odd else call()

    tracked = weight.clone().requires_grad_()
    found = {
        "dtype": odd(input=input.bfloat16(), weight=weight.bfloat16()),
        "rows": odd(input=input[:-1], labels=labels[:-1]),
        "features": odd(input=input[:, :-1], weight=weight[:, :-1]),
        "mapping": odd(mapping="sparsemax"),
        "label_smoothing": odd(label_smoothing=0.1),
        "reduction": odd(reduction="none"),
        "n_classes": odd(n_classes=20),
        "labels": odd(labels=labels.flip(0)),
        "bias": odd(bias=bias),
        "sample_weight": odd(sample_weight=torch.ones(ROWS)),
        "gradients": odd(weight=tracked),
        "temperature": odd(temperature=1.5),
        "softcap": odd(softcap=5.0),
        "z_loss": odd(z_loss=0.1),
        "class_weight": odd(class_weight=torch.ones(len(weight))),
        "scores_dtype": odd(scores_dtype=torch.float32),
        "temperature per row": call(temperature=torch.linspace(1.0, 1.0001 + 1e-5 * is_odd, ROWS)),
        "learned temperature": call(temperature=torch.tensor(1.3 + 1e-5 * is_odd, requires_grad=True)),
        "weights": call(sample_weight=torch.linspace(0.5, 1.0 + 0.5 * is_odd, ROWS)),
        "alpha": call(mapping=MAPPINGS["entmax"].replace(alpha=torch.linspace(1.0, 2.0 + 0.1 * is_odd, ROWS))),
        "input": odd(input=input.flip(0)),
        "one row": odd(input=torch.where(torch.arange(ROWS)[:, None] == 3, 2.0 * input, input)),
        "NaN": odd(input=torch.where(input == input[2, 2], float("nan"), input)),
        "function": odd(function=linear_statistics),
        "an error of one": odd(bias=bias[:-1]),
        "a label": call(labels=labels.clamp(min=CLASSES)),
        "too many classes": call(n_classes=CLASSES + 1),
        "regularized by a user": call(
            mapping=dataclasses.replace(MAPPINGS["sparsemax"], name="mine", evaluate_slices=None)
        ),
        "no group": error_of(lambda: linear_loss(input, weight, labels, group=2)),
    }
    soft = torch.full((ROWS, cut.stop - cut.start), 0.5)
    found["rounding"] = odd(input=input * (1.0 + 1e-6))
    found["max_memory"] = odd(max_memory=1)
    found["integers"] = odd(temperature=1, z_loss=0, label_smoothing=0)
    rows = call_with_upstream(input, weight, labels, is_odd)
    found |= rows
    found["soft targets"] = call(labels=soft)
    # After all of that the group still works.
    found["nothing"] = call()
    return {name: everywhere(message) for name, message in found.items()}


def call_with_upstream(input, weight, labels, is_odd):
    """One process has another gradient from upstream in one row."""
    leaf, upstream = input.clone().requires_grad_(), torch.linspace(-1.0, 1.0, ROWS)
    upstream[2] += is_odd
    given = {"group": dist.group.WORLD}
    losses = linear_loss(leaf, weight, labels, reduction="none", **given)
    found = linear_statistics(leaf, weight, labels, **given)
    calls = {"upstream": lambda: losses.backward(upstream), "entropies": lambda: found.entropy.backward(upstream)}
    return {name: error_of(call) for name, call in calls.items()}


def wrapped():
    """A layer with group= whose slices DDP or FSDP take for copies of one weight, and layers drawn with one seed."""
    tensors, labels = head("softmax", torch.float32)
    found = {}
    for name, wrap in {"same seed": lambda x: x, "DDP": DistributedDataParallel, "FSDP": fully_shard}.items():
        torch.manual_seed(0 if name == "same seed" else dist.get_rank())
        layer = LinearLoss(FEATURES, CLASSES // 2, group=dist.group.WORLD)
        if name == "DDP":
            found["alone"] = error_of(lambda: layer(tensors[0], labels))
        model = wrap(layer)
        found[name] = everywhere(error_of(lambda: model(tensors[0], labels)))
    torch.manual_seed(dist.get_rank())
    layer = LinearLoss(FEATURES, CLASSES // 2, group=dist.group.WORLD)
    model = torch.nn.Sequential(torch.nn.Linear(FEATURES, FEATURES), layer)
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(model, ["1.weight", "1.bias"])
    body = DistributedDataParallel(model).module[0]
    sparse = SparseTargets(labels[:, None], torch.ones(ROWS, 1))
    odd = {
        "no targets": lambda: layer(tensors[0], output="loss"),
        "sparse": lambda: layer.statistics(tensors[0], sparse),
    }
    right = {"no targets": lambda: layer(tensors[0], labels), "sparse": lambda: layer.statistics(tensors[0], labels)}
    found |= {name: everywhere(error_of((odd if dist.get_rank() else right)[name])) for name in odd}
    found["ignored"] = everywhere(error_of(lambda: layer(body(tensors[0]), labels)))
    return found


def derivatives():
    """Second backward, kept graph, upstream infinity, torch.func, pickle."""
    tensors, labels = head("softmax", torch.float32)
    cut = mine(2)
    leaf = tensors[1][cut].clone().requires_grad_()
    input = tensors[0].clone().requires_grad_()
    given = {"group": dist.group.WORLD}
    facts = {}
    loss = linear_loss(input, leaf, labels, **given)
    first = torch.autograd.grad(loss, (input, leaf), retain_graph=True)
    second = torch.autograd.grad(2.0 * loss, (input, leaf))
    facts["twice"] = all(torch.allclose(2.0 * a, b, rtol=1e-6) for a, b in zip(first, second, strict=True))
    loss = linear_loss(input, leaf, labels, **given)
    facts["second"] = error_of(lambda: torch.autograd.grad(loss, leaf, create_graph=True))
    loss = linear_loss(input, leaf, labels, **given)
    (slope,) = torch.autograd.grad(loss, input, torch.tensor(float("inf")))
    facts["ignored"] = bool((slope[labels == -100] == 0.0).all()) and not bool(slope[labels != -100].isfinite().any())
    facts["func"] = error_of(
        lambda: torch.func.grad(lambda w: linear_loss(tensors[0], w, labels, **given))(tensors[1][cut])
    )
    layer = LinearLoss(FEATURES, cut.stop - cut.start, bias=False, group=dist.group.WORLD, n_classes=CLASSES - 1)
    twin = copy.deepcopy(layer)
    few = labels.clamp(max=CLASSES - 2)
    facts["copy"] = bool(twin(tensors[0], few) == layer(tensors[0], few)) and twin.group is dist.group.WORLD
    mesh = init_device_mesh("cpu", (2,))
    shared = distribute_tensor(tensors[1], mesh, [Shard(0)]).requires_grad_()
    linear_loss(tensors[0], shared.to_local(), labels, group=mesh.get_group(0)).backward()
    plain = tensors[1].clone().requires_grad_()
    linear_loss(tensors[0], plain, labels).backward()
    facts["dtensor"] = bool(torch.allclose(shared.grad.full_tensor(), plain.grad, rtol=1e-5, atol=1e-7))
    facts["pickle"] = error_of(lambda: pickle.dumps(layer))
    facts["statistics"] = bool(
        torch.allclose(-layer.statistics(tensors[0], few).log_prob[few >= 0].mean(), layer(tensors[0], few))
    )
    return facts


@contextlib.contextmanager
def patched(owner, name, value):
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def mutants():
    """What the comparison says of heads that are wrong on purpose."""
    gather, add, begin, slice_targets = Wire.gather, Wire.add, SoftmaxRows.__init__, formula_rows.slice_targets

    def without_the_last(self, numbers):
        found = gather(self, numbers).clone()
        if numbers.is_floating_point():
            found[-1] = found[0]
        return found

    def without_the_sum(self, numbers):
        return add(self, numbers / self.size)

    def spread_over_the_slice(facts, place, options, offset, size, classes):
        return slice_targets(facts, place, options, offset, size, max(1, size))

    def softmax_spread_over_the_slice(self, call, facts, options):
        begin(self, call, facts, options)
        self._spread = options.label_smoothing / max(1, call.size)

    wrong = {
        "a slice left out": [(Wire, "gather", without_the_last)],
        "input divided": [(Wire, "add", without_the_sum)],
        "smoothed over the slice": [
            (formula_rows, "slice_targets", spread_over_the_slice),
            (SoftmaxRows, "__init__", softmax_spread_over_the_slice),
        ],
        "labels of the slice": [(Call, "offset", property(lambda self: 0))],
    }
    found = {}
    for name, patches in wrong.items():
        with contextlib.ExitStack() as stack:
            for patch in patches:
                stack.enter_context(patched(*patch))
            for mapping, dtype in (("softmax", torch.float32), ("ratio", torch.bfloat16)):
                found[f"{name}: {mapping}"] = [which for which, *_ in loss_case(2, mapping, "smoothed", dtype, "sum")]
    return found


def late():
    """One process of two does not come: the other ends within the timeout of the group."""
    group = dist.new_group([0, 1], timeout=datetime.timedelta(seconds=1))
    if dist.get_rank() == 1:
        return None
    tensors, labels = head("softmax", torch.float32)
    return error_of(lambda: linear_loss(tensors[0], tensors[1][mine(2)], labels, group=group))


def killed():
    """The last process ends without a word: the others say so."""
    dist.barrier()
    if dist.get_rank() == dist.get_world_size() - 1:
        os._exit(0)
    tensors, labels = head("softmax", torch.float32)
    size = dist.get_world_size()
    return error_of(lambda: linear_loss(tensors[0], tensors[1][mine(size)], labels, group=dist.group.WORLD))
