"""The example of two classifiers of digits runs, and shows what it says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits

from lastlayer.calibration import Calibrator

EXAMPLE = Path(__file__).parents[2] / "examples" / "calibrate_digits.py"


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    # Models this small: their threads would mostly wait for each other, and for other tests.
    with threadpool_limits(1):
        names = runpy.run_path(str(EXAMPLE), run_name="__main__")
    shown = capsys.readouterr().out
    for name in ("trees", "network"):
        before, after, accuracy = map(float, re.search(rf"{name} +(\S+) +(\S+) +(\S+)\n", shown).groups())
        assert after < before - 0.005
        assert accuracy > 0.9
        # The file's temperature, on the rows that it was not fitted to.
        saved = np.load(tmp_path / "digits-scores" / f"{name}-test.npz")
        calibrator = Calibrator.read(tmp_path / "digits-scores" / f"{name}.json")
        assert calibrator.temperature > 1.2
        assert calibrator.fitted_on["rows"] == 698
        log_p = log_softmax(saved["scores"].astype(float) / calibrator.temperature, axis=1)
        assert after == pytest.approx(-log_p[np.arange(699), saved["labels"]].mean(), abs=6e-4)
    assert float(re.search(r"differ by (\S+) at most", shown).group(1)) < 1e-12
    assert names["by_module"].dtype == np.float32
    assert shown.count("advised: temperature") == 2
    # No row is in two of the three parts.
    parts = [names[part] for part in ("X_train", "X_fit", "X_test")]
    assert len(np.unique(np.vstack(parts), axis=0)) == len(np.vstack(parts)) == 1797
