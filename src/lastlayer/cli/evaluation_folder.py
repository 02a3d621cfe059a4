"""Where an evaluation's files go: a folder per file of scores, and nobody's files are overwritten."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lastlayer.files import replace_text

#: What a folder is for: the digest of the data whose evaluation is in it.
MARK = ".evaluation"
DEFAULT = Path("lastlayer-evaluation")
_LONGEST = 60


@dataclass(frozen=True)
class Folder:
    """The folder of an evaluation; `mark` is the digest of its data."""

    path: Path
    mark: str

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    @property
    def calibrator(self) -> Path:
        """The advised map."""
        return self.path / "calibrator.json"

    @property
    def form(self) -> Path:
        """The numbers and sentences."""
        return self.path / "evaluation.json"

    def make(self) -> None:
        """Make the folder and mark it.

        Raises:
            OSError: it cannot be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        replace_text(self.path / MARK, f"{self.mark}\n")

    def marked(self) -> str | None:
        """The mark that is in the folder now."""
        path = self.path / MARK
        return path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else None

    def foreign(self) -> Path | None:
        """A file of one of our names that no evaluation wrote, or what is in the way of the folder."""
        if self.path.exists() and not self.path.is_dir():
            return self.path
        if self.marked() is not None:
            return None
        return next(
            (path for path in (self.report, self.calibrator, self.form) if path.exists() or path.is_symlink()), None
        )


def folder_for(out: Path | None, scores: Path, data: Iterable[str], error: type[Exception]) -> Folder:
    """The folder to write to; nothing is written yet.

    Args:
        out: the folder that was asked for, which may hold other files and an earlier evaluation; None for one of the file's name
            in `DEFAULT`, with a number if that name is taken by other data or by somebody's files.
        scores: the file of scores.
        data: what distinguishes two evaluations of files of one name. Only its digest is stored.
        error: what to raise.

    Raises:
        OSError: a folder cannot be read.
        error: somebody's files are in the way.
    """
    mark = hashlib.sha256("\n".join(data).encode(errors="surrogatepass")).hexdigest()
    if out is not None:
        folder = Folder(out, mark)
        if (foreign := folder.foreign()) is not None:
            raise error(
                f"{foreign} exists, and lastlayer evaluate did not write it; give another folder with --out, or move it away."
            )
        return folder
    # A leading dot would hide the folder.
    stem = re.sub(r"[^\w.=-]+", "_", scores.stem).strip("._")[:_LONGEST] or "scores"
    number = 1
    while True:
        folder = Folder(DEFAULT / (stem if number == 1 else f"{stem}-{number}"), mark)
        if folder.foreign() is None and folder.marked() in (None, mark):
            return folder
        number += 1
