"""The picture as a file."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backend_bases import FigureCanvasBase

from lastlayer.comparison.answers import Answers
from lastlayer.comparison.figure.draw import draw
from lastlayer.files import replace_file


def require_format(path: Path) -> None:
    """Check the file's ending before anything is drawn; no ending means PNG.

    Raises:
        ValueError: matplotlib writes no such format.
    """
    known = FigureCanvasBase.get_supported_filetypes()
    ending = path.suffix[1:].lower()
    if ending and ending not in known:
        raise ValueError(
            f"{path} ends in .{ending}, which is no format for figures; choose {', '.join(sorted(known))}."
        )


def save(answers: Answers, path: Path) -> None:
    """Write the picture, in the format that the file's name asks for; an earlier file survives a failure.

    Raises:
        OSError: the file cannot be written.
    """
    figure = draw(answers)
    replace_file(path, lambda temporary: figure.savefig(temporary, dpi=150, format=path.suffix[1:] or "png"))
