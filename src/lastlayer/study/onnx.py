"""The advised model as an ONNX graph, where the table holds numbers alone. Needs torch, and onnx to write the file."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from lastlayer.files import expanded, replace_file
from lastlayer.functions import probabilities
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.sklearn import LastLayerClassifier
from lastlayer.study.error import StudyError
from lastlayer.study.fit.scales import Limiter, PowerOfTwoScaler
from lastlayer.study.fit.table_reader import TableReader

#: The version of ONNX's operators that the graph uses.
OPSET = 17


class NumericModel(torch.nn.Module):
    """The pipeline of a study of numbers: features (n, d) float64, NaN where a value is missing → probabilities (n, K).

    Scaling, the mean for what is missing with a column that says so, standardisation, the linear model and the mapping. A row
    outside the mapping's domain gets NaN.
    """

    factor: torch.Tensor
    other_factor: torch.Tensor
    fill: torch.Tensor
    indicated: torch.Tensor
    mean: torch.Tensor
    spread: torch.Tensor
    weights: torch.Tensor
    intercept: torch.Tensor

    def __init__(self, model: Pipeline) -> None:
        super().__init__()
        steps = [step for _, step in model.steps if not isinstance(step, TableReader)]
        kinds = (PowerOfTwoScaler, SimpleImputer, StandardScaler, Limiter, LastLayerClassifier)
        if [type(step) for step in steps] != list(kinds):
            raise StudyError(
                "This model does not take numbers alone (its table has text, dates or splines), so it has no ONNX graph; "
                "use load_model and predict_proba."
            )
        scale, imputer, standard, limiter, classifier = steps
        self.mapping = resolve_mapping(classifier.mapping)
        self.largest = float(limiter.largest)
        # In two factors: one of a very small column would overflow.
        half = -scale.exponents_ // 2
        self._hold("factor", np.ldexp(1.0, half))
        self._hold("other_factor", np.ldexp(1.0, -scale.exponents_ - half))
        self._hold("fill", imputer.statistics_)
        indicated = [] if imputer.indicator_ is None else imputer.indicator_.features_
        self.register_buffer("indicated", torch.as_tensor(np.asarray(indicated, dtype=np.int64)))
        self._hold("mean", standard.mean_)
        self._hold("spread", standard.scale_)
        self._hold("weights", classifier.coef_.T)
        self._hold("intercept", classifier.intercept_)

    def _hold(self, name: str, values: Any) -> None:
        self.register_buffer(name, torch.as_tensor(np.array(values, dtype=np.float64)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Probabilities (n, K)."""
        x = features * self.factor * self.other_factor
        is_missing = torch.isnan(x)
        x = torch.where(is_missing, self.fill, x)
        x = torch.cat([x, is_missing[:, self.indicated].to(x.dtype)], dim=-1)
        x = torch.clamp((x - self.mean) / self.spread, -self.largest, self.largest)
        p: torch.Tensor = probabilities(x @ self.weights + self.intercept, mapping=self.mapping, on_domain="nan")
        return p


def to_onnx(model: Pipeline, path: str | os.PathLike[str]) -> Path:
    """Write `results.best_estimator_` as an ONNX graph from "features" (n, d) float64 to "probabilities" (n, K).

    The columns are those of the table without the target and without what was left out, in the order of training; the classes
    are those of `model.classes_`.

    Raises:
        StudyError: the table has text or dates, or the mapping has an operation that ONNX does not have.
    """
    path = expanded(path)
    module = NumericModel(model).eval()
    rows = torch.zeros(2, len(module.fill), dtype=torch.float64)

    def write(temporary: Path) -> None:
        # Torch calls this exporter deprecated; its successor needs another package and writes the same graph.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module,
                (rows,),
                str(temporary),
                dynamo=False,
                input_names=["features"],
                output_names=["probabilities"],
                dynamic_axes={"features": {0: "rows"}, "probabilities": {0: "rows"}},
                opset_version=OPSET,
            )

    try:
        replace_file(path, write)
    except OSError as error:
        raise StudyError(f"{path} cannot be written ({error.strerror or error}); give another path.") from error
    except (RuntimeError, TypeError, ValueError) as error:
        raise StudyError(
            f"{module.mapping.label} cannot be written as ONNX ({str(error).splitlines()[0]}); use load_model and predict_proba."
        ) from error
    return path
