"""The lines of NumPy and torch give the calibrator's probabilities, for every map, kind and layout."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lastlayer.calibration import Calibrator
from lastlayer.calibration.code import numpy_line, torch_line


def run(line: str, library: object, values: object, kind: str) -> object:
    """`probabilities` after the line."""
    assert "\n" not in line
    names = {"np" if library is np else "torch": library, kind: values}
    exec(line, names)
    return names["probabilities"]


@pytest.fixture(autouse=True)
def _in_a_folder_with_the_file(calibrator: Calibrator, tmp_path, monkeypatch) -> None:
    calibrator.write(tmp_path / "calibrator.json")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numpy(calibrator: Calibrator, values, dtype):
    values = values.astype(dtype)
    got = run(calibrator.numpy_code, np, values, calibrator.kind)
    want = calibrator.probabilities(values)
    assert want.shape == (50, calibrator.n_classes)
    np.testing.assert_allclose(got, want, rtol=1e3 * np.finfo(dtype).eps, atol=10 * np.finfo(dtype).tiny)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_torch(calibrator: Calibrator, values, dtype):
    values = torch.tensor(values, dtype=dtype)
    got = run(calibrator.torch_code, torch, values, calibrator.kind)
    assert got.dtype == dtype
    want = calibrator.probabilities(values.numpy())
    eps = torch.finfo(dtype).eps
    np.testing.assert_allclose(got.numpy(), want, rtol=1e3 * eps, atol=10 * torch.finfo(dtype).tiny)


def test_only_other_mappings_need_lastlayer_and_only_long_arrays_the_file(calibrator: Calibrator, layout):
    for line in (calibrator.numpy_code, calibrator.torch_code):
        assert ("lastlayer" in line) == (calibrator.mapping != "softmax")
        is_long = layout == "many classes" and (calibrator.bias is not None or calibrator.weight is not None)
        assert ("calibrator.json" in line) == is_long


@pytest.mark.parametrize(
    "name", ["other place.json", 'a "quoted" \\ name.json', "turned\u202eback.json", "tab\there.json"]
)
def test_a_line_reads_the_file_that_it_is_given(calibrator: Calibrator, values, tmp_path, name):
    calibrator.write(tmp_path / name)
    (tmp_path / "calibrator.json").unlink()
    want = calibrator.probabilities(values)
    line = numpy_line(calibrator, name)
    assert line.isprintable()
    np.testing.assert_allclose(run(line, np, values, calibrator.kind), want, rtol=1e-12)
    got = run(torch_line(calibrator, name), torch, torch.tensor(values), calibrator.kind)
    np.testing.assert_allclose(got, want, rtol=1e-12)
