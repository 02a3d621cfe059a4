"""A calibrator as one line of NumPy or PyTorch that somebody can paste into a program.

The line takes `scores` (or `probabilities`) as the model gives them and makes `probabilities` (n, K). Softmax needs no lastlayer;
other mappings are computed by it. A few numbers are written with all digits, more are read from calibrator.json.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lastlayer.mappings.resolve import resolve_mapping

if TYPE_CHECKING:
    from lastlayer.calibration.calibrator import Calibrator

#: Arrays of at most this many numbers are written into the line.
INLINE = 12
FILE = "calibrator.json"


@dataclass(frozen=True)
class _Dialect:
    """How a library writes the parts of a line; `{}` is an expression."""

    #: An array of `{values}`, of the type and on the device of `{scores}`.
    array: str
    #: One column of scores or probabilities → two.
    two_scores: str
    two_probabilities: str
    log: str
    log_of_at_least: str
    #: The least number above 0 of the type of `probabilities`; a floor below it would be 0.
    tiny: str


_NUMPY = _Dialect(
    array="np.array({values})",
    two_scores="np.column_stack([np.zeros_like(scores), scores])",
    two_probabilities="np.column_stack([1 - probabilities, probabilities])",
    log="np.log({})",
    log_of_at_least="np.log(np.maximum({}, {}))",
    tiny="np.finfo(probabilities.dtype).tiny",
)
_TORCH = _Dialect(
    array="{scores}.new_tensor({values})",
    two_scores="torch.nn.functional.pad(scores.reshape(-1, 1), (1, 0))",
    two_probabilities="torch.stack([1 - probabilities.flatten(), probabilities.flatten()], dim=-1)",
    log="{}.log()",
    log_of_at_least="{}.clamp(min={}).log()",
    tiny="torch.finfo(probabilities.dtype).tiny",
)


def numpy_line(calibrator: Calibrator, path: str = FILE) -> str:
    """`probabilities` of `scores` or `probabilities` by NumPy; `path` is that of its file, should the line read it."""
    before, scores = _scores(calibrator, _NUMPY, path)
    mapping = resolve_mapping(calibrator.mapping).label
    if mapping == "softmax":
        before += [f"z = {scores}", "e = np.exp(z - z.max(axis=-1, keepdims=True))"]
        return "; ".join([*before, "probabilities = e / e.sum(axis=-1, keepdims=True)"])
    call = f'probabilities = ll.probabilities({scores}, mapping="{mapping}", on_domain="nan")'
    return "; ".join(["import lastlayer as ll", *before, call])


def torch_line(calibrator: Calibrator, path: str = FILE) -> str:
    """The same by PyTorch."""
    before, scores = _scores(calibrator, _TORCH, path)
    mapping = resolve_mapping(calibrator.mapping).label
    if mapping == "softmax":
        return "; ".join([*before, f"probabilities = torch.softmax({scores}, dim=-1)"])
    call = f'probabilities = lastlayer.torch.Probabilities("{mapping}")({scores})'
    return "; ".join(["import lastlayer.torch", *before, call])


def _scores(calibrator: Calibrator, dialect: _Dialect, path: str) -> tuple[list[str], str]:
    """(statements that come first, the expression of the calibrated scores)."""
    arrays = [name for name in ("weight", "matrix", "bias") if getattr(calibrator, name) is not None]
    scores, before = _model_scores(calibrator, dialect), []
    is_read = any(getattr(calibrator, name).size > INLINE for name in arrays)
    if is_read:
        # JSON's text is Python's, too; what does not print is escaped, so that the line survives a terminal.
        text = json.dumps(path, ensure_ascii=False) if path.isprintable() else ascii(path)
        before.append(f'import json, pathlib; c = json.loads(pathlib.Path({text}).read_text("utf-8"))')
    # An array of torch's is made by a method of the scores, so that they need a name.
    if arrays and dialect is _TORCH and scores != "scores":
        before.append(f"x = {scores}")
        scores = "x"
    given = scores

    def array(name: str) -> str:
        values: np.ndarray = getattr(calibrator, name)
        return dialect.array.format(scores=given, values=f'c["{name}"]' if is_read else values.tolist())

    if calibrator.matrix is not None:
        scores = f"{scores} @ {array('matrix')}.T"
    elif calibrator.weight is not None:
        scores = f"{scores} * {array('weight')}"
    elif calibrator.temperature != 1.0:
        scores = f"{scores} / {calibrator.temperature!r}"
    return before, scores if calibrator.bias is None else f"{scores} + {array('bias')}"


def _model_scores(calibrator: Calibrator, dialect: _Dialect) -> str:
    """The model's scores (n, K), before the map."""
    if calibrator.kind == "scores":
        return dialect.two_scores if calibrator.is_one_column else "scores"
    values = dialect.two_probabilities if calibrator.is_one_column else "probabilities"
    if calibrator.floor:
        least = repr(calibrator.floor)
        if calibrator.floor < np.finfo(np.float32).tiny:
            least = f"max({least}, float({dialect.tiny}))"
        return dialect.log_of_at_least.format(values, least)
    return dialect.log.format(values)
