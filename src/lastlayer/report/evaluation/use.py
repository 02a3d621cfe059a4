"""How to use the advised map: its file, one line of NumPy and of PyTorch, and the lines that read the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lastlayer.calibration.code import numpy_line, torch_line
from lastlayer.evaluation import Evaluation
from lastlayer.report.calibration_maps import NONE, map_name
from lastlayer.report.model import quoted
from lastlayer.words.lists import capital, plural
from lastlayer.words.printable import clean

#: The name of the file in the lines of Python, where none was written.
FILE = "calibrator.json"


@dataclass(frozen=True)
class UseCard:
    """The advised map, ready to use.

    Attributes:
        summary: what it is and where, in whole sentences.
        file: the path of calibrator.json, empty where it was not written.
        loading: the lines of Python that read it and make probabilities.
        numpy, torch: one line each that makes probabilities without the file, or with it where it has many numbers.
        input: the name of what these lines take.
    """

    summary: str
    file: str
    loading: tuple[str, ...]
    numpy: str
    torch: str
    input: str


def use_card(evaluation: Evaluation, file: Path | None) -> UseCard:
    """The card of the advised map; `file` is its calibrator.json, if it was written."""
    calibrator, name = evaluation.calibrator, evaluation.advice.mapping
    path = FILE if file is None else str(file)
    if name == NONE:
        summary = "The probabilities as they are."
    else:
        summary = f"{capital(map_name(name))}, fitted to {plural(evaluation.advised.n_fitted, 'row')}."
    return UseCard(
        summary=summary,
        file="" if file is None else clean(path),
        loading=(
            "from lastlayer.calibration import Calibrator",
            f"calibrator = Calibrator.read({quoted(path)})",
            f"probabilities = calibrator.probabilities({calibrator.kind})",
        ),
        numpy=numpy_line(calibrator, path),
        torch=torch_line(calibrator, path),
        input=calibrator.kind,
    )
