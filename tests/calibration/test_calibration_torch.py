"""lastlayer.torch.Calibrator: the calibrator's probabilities behind a network, for every map, kind and layout."""

from __future__ import annotations

import copy
import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from lastlayer.torch import Calibrator


class Given(torch.nn.Module):
    """A network that gives what it gets; its one parameter has the type of a trained network's."""

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones((), dtype=dtype))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values * self.scale


@pytest.mark.parametrize("output", ["probabilities", "log_probabilities", "scores"])
def test_it_is_the_calibrator_behind_a_network(calibrator, values, output):
    got = Calibrator(Given(), calibrator, output=output)(torch.from_numpy(values))
    assert got.dtype == torch.float64
    np.testing.assert_allclose(got.detach(), getattr(calibrator, output)(values), rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_smaller_types_are_computed_in_float32(calibrator, values, dtype):
    x = torch.from_numpy(values).to(dtype)
    got = Calibrator(Given(dtype), calibrator)(x)
    assert got.dtype == dtype
    want = calibrator.probabilities(x.double().numpy())
    # One rounding to the type, and those of float32.
    bound = torch.finfo(dtype).eps + 200 * torch.finfo(torch.float32).eps
    # At the edge of a support, rounded scores change all digits of a probability that is nearly 0.
    np.testing.assert_allclose(got.detach().double(), want, rtol=bound, atol=max(1e-9, torch.finfo(dtype).tiny))


def test_classes_are_on_axis_1_or_on_the_one_that_is_named(map_name, kind, make_calibrator):
    calibrator = make_calibrator(map_name, 3, kind=kind)
    x = torch.rand(4, calibrator.n_classes, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows = x.movedim(1, -1).reshape(-1, calibrator.n_classes)
    want = torch.from_numpy(calibrator.probabilities(rows.numpy())).reshape(4, 2, 3, -1)
    torch.testing.assert_close(Calibrator(Given(), calibrator)(x), want.movedim(-1, 1), rtol=1e-13, atol=0)
    got = Calibrator(Given(), calibrator, dim=-1)(x.movedim(1, -1))
    torch.testing.assert_close(got, want, rtol=1e-13, atol=0)
    torch.testing.assert_close(Calibrator(Given(), calibrator)(x[0, :, 0, 0]), want[0, 0, 0], rtol=1e-13, atol=0)


def test_one_column_of_pixels(make_calibrator):
    x = torch.linspace(-4, 4, 12, dtype=torch.float64).reshape(2, 1, 2, 3)
    calibrator = make_calibrator("temperature", 2, is_one_column=True)
    got = Calibrator(Given(), calibrator)(x)
    assert got.shape == (2, 2, 2, 3)
    torch.testing.assert_close(got[:, 1], torch.sigmoid(x[:, 0] / calibrator.temperature), rtol=1e-12, atol=0)


def test_gradients_flow_to_the_network_and_not_to_the_map(calibrator, values):
    x = torch.from_numpy(values[2:12])
    if calibrator.kind == "probabilities":
        # Away from the floor, where the slope jumps.
        x = 0.9 * x + 0.05
    model = Calibrator(Given(), calibrator, output="scores")
    assert torch.autograd.gradcheck(model, x.requires_grad_())
    model.output = "probabilities"
    model(x)[:, 0].sum().backward()
    assert [name for name, each in model.named_parameters() if each.grad is not None] == ["module.scale"]


def test_numbers_move_with_the_module_and_are_in_its_state(map_name, make_calibrator):
    fitted = make_calibrator(map_name, 3)
    model = Calibrator(torch.nn.Linear(2, 3), fitted)
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    before = model(x)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    arrays = {name: getattr(fitted, name) for name in ("weight", "matrix", "bias")}
    ones = {name: np.ones_like(each) for name, each in arrays.items() if each is not None}
    other = Calibrator(torch.nn.Linear(2, 3), replace(fitted, temperature=1.0, **ones))
    assert not torch.equal(other(x), before)
    other.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(other(x), before, rtol=0, atol=0)
    torch.testing.assert_close(copy.deepcopy(model)(x), before, rtol=0, atol=0)
    assert {buffer.dtype for buffer in model.half().buffers()} == {torch.float16}
    torch.testing.assert_close(model.float()(x), before, rtol=2e-3, atol=2e-3)
    assert {buffer.device.type for buffer in model.to("meta").buffers()} == {"meta"}


def test_compiled_and_exported_it_gives_the_same(map_name, kind, make_calibrator):
    output = "probabilities" if kind == "scores" else "log_probabilities"
    fitted = make_calibrator(map_name, 3, kind=kind, floor=1e-6 if kind == "probabilities" else 0.0)
    network = torch.nn.Linear(2, 3)
    if kind == "probabilities":
        network = torch.nn.Sequential(network, torch.nn.Softmax(dim=1))
    model = Calibrator(network, fitted, output=output).eval()
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(2))
    want = model(x)
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), want, rtol=1e-5, atol=1e-7)
    rows = torch.export.Dim("rows", min=2, max=64)
    program = torch.export.export(model, (x,), dynamic_shapes={"inputs": ({0: rows},)})
    more = torch.cat([x, x])
    torch.testing.assert_close(program.module()(more), model(more), rtol=1e-6, atol=1e-7)


def test_it_is_read_from_a_file(make_calibrator, tmp_path):
    fitted = make_calibrator("vector", 3)
    path = fitted.write(tmp_path / "calibrator.json")
    network = torch.nn.Linear(2, 3).double()
    x = torch.ones(4, 2, dtype=torch.float64)
    got = Calibrator.from_file(network, path, output="log_probabilities")(x)
    np.testing.assert_allclose(got.detach(), fitted.log_probabilities(network(x).detach().numpy()), rtol=1e-13)
    assert "name='vector', mapping='softmax', output='probabilities'" in repr(Calibrator.from_file(network, path))


def test_wrong_arguments_are_refused(make_calibrator):
    fitted, network = make_calibrator("temperature", 3), torch.nn.Linear(2, 4)
    with pytest.raises(ValueError, match="gives 4 columns on axis 1, and the calibrator was fitted to 3"):
        Calibrator(network, fitted)(torch.ones(5, 2))
    with pytest.raises(ValueError, match="output is 'logits'; give one of"):
        Calibrator(network, fitted, output="logits")
    with pytest.raises(TypeError, match="calibrator is str"):
        Calibrator(network, "calibrator.json")
    with pytest.raises(TypeError, match="module is Calibrator"):
        Calibrator(fitted, network)
