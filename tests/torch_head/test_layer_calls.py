"""What `LinearLoss` is asked for goes through a call of the layer, so that hooks and wrappers see it."""

from __future__ import annotations

import warnings

import pytest
import torch

from lastlayer.torch import LinearLoss, LinearStatistics, linear_loss, linear_statistics

INPUT, LABELS = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 8, 3, -100, 1])


def layer(**options):
    torch.manual_seed(1)
    return LinearLoss(4, 9, **options)


def test_every_output_is_that_of_its_function():
    head = layer(softcap=3.0, ignore_index=8, z_loss=0.1)
    labels = LABELS.clamp(min=0)
    found = head(INPUT, labels, output="statistics")
    options = {"bias": head.bias, "softcap": 3.0, "ignore_index": 8}
    want = linear_statistics(INPUT, head.weight, labels, **options)
    assert isinstance(found, LinearStatistics)
    assert all(map(torch.equal, found, want))
    assert all(map(torch.equal, head.statistics(INPUT, labels), want))
    assert torch.equal(head(INPUT, labels), linear_loss(INPUT, head.weight, labels, z_loss=0.1, **options))
    assert torch.equal(head(INPUT, labels, output="loss"), head(INPUT, labels))
    scores = torch.nn.functional.linear(INPUT, head.weight, head.bias)
    for got in (head(INPUT), head.scores(INPUT), head(INPUT, output="scores"), head(INPUT, labels, output="scores")):
        assert torch.equal(got, scores)


def test_hooks_run_once_for_each():
    head, seen = layer(), []
    head.register_forward_pre_hook(lambda *_: seen.append("before"))
    head.register_forward_hook(lambda head, args, output: seen.append(type(output).__name__))
    head.statistics(INPUT, LABELS)
    head.scores(INPUT)
    head(INPUT, LABELS)
    assert seen == ["before", "LinearStatistics", "before", "Tensor", "before", "Tensor"]


@pytest.mark.parametrize(("labels", "output"), [(None, "loss"), (None, "statistics"), (LABELS, "probabilities")])
def test_another_output_is_refused(labels, output):
    with pytest.raises(ValueError, match=rf"output is '{output}', targets are .*; choose 'scores'"):
        layer()(INPUT, labels, output=output)


@pytest.mark.filterwarnings("ignore")
def test_a_layer_that_peft_trains_whole():
    peft = pytest.importorskip("peft", reason="pip install peft")

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = torch.nn.Linear(4, 4), layer()

        def forward(self, input, labels, output=None):
            hidden = self.body(input)
            return self.head.statistics(hidden, labels) if output is None else self.head(hidden, labels, output=output)

    config = peft.LoraConfig(target_modules=["body"], modules_to_save=["head"])
    plain = Network()
    model = peft.get_peft_model(plain, config)
    want = layer().statistics(plain.body(INPUT), LABELS)
    for found in (model(INPUT, LABELS), model(INPUT, LABELS, output="statistics")):
        assert all(map(torch.equal, found, want))
    model(INPUT, LABELS).log_prob.sum().backward()
    trained = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert {name.split(".")[-1] for name in trained if "head" in name} == {"weight", "bias"}
    # Its scores would be added to a loss: peft refuses it, since it is no torch.nn.Linear.
    with pytest.raises(ValueError, match="LinearLoss"):
        peft.get_peft_model(Network(), peft.LoraConfig(target_modules=["head"]))


def test_scores_are_no_view_and_a_trace_takes_other_shapes():
    """FSDP2 warns of a view, and a trace must not keep the shape of the first call."""
    layer, inputs = LinearLoss(4, 6), torch.randn(2, 3, 4)
    assert layer.scores(inputs)._base is None
    assert layer(inputs, torch.zeros(2, 3).long(), output="statistics").log_prob._base is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(layer, (inputs,))
    other = torch.randn(5, 7, 4)
    assert torch.equal(traced(other), layer(other))


def test_classes_that_do_not_exist_have_no_scores():
    head = layer(n_classes=7)
    assert head(INPUT).shape == head.scores(INPUT).shape == (5, 7)
    assert torch.equal(head(INPUT), torch.nn.functional.linear(INPUT, head.weight[:7], head.bias[:7]))
    assert layer(n_classes=7, bias=False, normalize=True)(INPUT).shape == (5, 7)


def test_scores_of_a_padded_slice():
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        assert layer(n_classes=7, group=torch.distributed.group.WORLD)(INPUT).shape == (5, 7)
        assert layer(n_classes=12, group=torch.distributed.group.WORLD)(INPUT).shape == (5, 9)
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    "temperature", [torch.tensor(2.0), torch.full((3,), 2.0), torch.nn.Parameter(torch.tensor(2.0)), 2.0], ids=repr
)
def test_it_is_shown_with_any_temperature(temperature):
    text = repr(layer(temperature=temperature).to("meta"))
    is_learned = isinstance(temperature, torch.nn.Parameter)
    assert ("temperature=" in text) is not is_learned


def test_a_cast_leaves_the_prior_alone():
    counts = torch.tensor([1.0, 1e6, 3, 4, 5, 6, 7, 8, 9])
    head = layer(class_prior=counts).half()
    assert torch.equal(head.class_prior, counts)
    loss = head(INPUT.half(), LABELS)
    assert loss.isfinite()
    assert layer(class_prior=counts).to("meta").class_prior.is_meta


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_classes": 0}, "n_classes is 0"),
        ({"n_classes": 10}, r"give 1\.\.9"),
        ({"class_prior": torch.zeros(9)}, "class_prior has the smallest entry 0"),
    ],
)
def test_a_wrong_option_is_refused_when_it_is_made(options, message):
    with pytest.raises(ValueError, match=message):
        layer(**options)


def test_a_trace_of_its_scores():
    for head in (layer(), layer(n_classes=7)):
        traced = torch.fx.symbolic_trace(head, concrete_args={"targets": None})
        torch.testing.assert_close(traced(INPUT), head(INPUT))
