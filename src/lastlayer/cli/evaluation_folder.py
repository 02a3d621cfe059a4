"""Where an evaluation's files go: a folder per file of scores, and nobody's files are overwritten."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lastlayer.files import replace_text

#: What a folder is for: the digest of the data whose evaluation is in it.
MARK = ".evaluation"
DEFAULT = Path("lastlayer-evaluation")
_LONGEST = 60
#: Endings that are followed, from the right, by the ending of what is compressed.
_COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst")


@dataclass(frozen=True)
class Folder:
    """The folder of an evaluation.

    Attributes:
        mark: the digest of its data.
        taken: the folder of the file's name, where that has other files, so that this one has a number; else None.
    """

    path: Path
    mark: str
    taken: Path | None = None

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

    def note(self) -> str:
        """Why the folder has a number, as a sentence; empty where it has none."""
        if self.taken is None:
            return ""
        is_ours = Folder(self.taken, self.mark).marked() is not None
        what = "the evaluation of other data" if is_ours else "files that lastlayer evaluate did not write"
        return f"{self.taken} has {what}, so this evaluation is in {self.path}."

    def check(self) -> None:
        """Try whether the folder can be made and written to, and leave nothing behind.

        Raises:
            OSError: it cannot.
        """
        missing: list[Path] = []
        place = self.path
        while not place.is_dir():
            missing.append(place)
            place = place.parent
        if not missing:
            if not os.access(place, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
            return
        # Only the system knows all that can be in the way: a file, rights, a disk that is read-only, a name that is too long.
        made: list[Path] = []
        try:
            for folder in reversed(missing):
                folder.mkdir(exist_ok=True)
                made.append(folder)
        finally:
            for folder in reversed(made):
                # Another process may have put something there since.
                with suppress(OSError):
                    folder.rmdir()

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
        error: somebody's files are in the way, or the folder cannot be made.
    """
    mark = hashlib.sha256("\n".join(data).encode(errors="surrogatepass")).hexdigest()
    folder = _numbered(_stem(scores), mark) if out is None else Folder(out, mark)
    try:
        foreign = folder.foreign()
        if foreign is None:
            folder.check()
    except OSError as reason:
        raise error(
            f"The folder {folder.path} cannot be written ({reason.strerror or reason}); give another one with --out."
        ) from reason
    if foreign is not None:
        raise error(
            f"{foreign} exists, and lastlayer evaluate did not write it; give another folder with --out, or move it away."
        )
    return folder


def _numbered(stem: str, mark: str) -> Folder:
    """The first folder of this name that is free or has an evaluation of the same data."""
    first, number = DEFAULT / stem, 1
    while True:
        folder = Folder(first, mark) if number == 1 else Folder(DEFAULT / f"{stem}-{number}", mark, taken=first)
        if folder.foreign() is None and folder.marked() in (None, mark):
            return folder
        number += 1


def _stem(scores: Path) -> str:
    """`p` of p.npy and of p.csv.gz, as the name of a folder."""
    stem = Path(scores.stem).stem if scores.suffix.lower() in _COMPRESSED else scores.stem
    # A leading dot would hide the folder.
    return re.sub(r"[^\w.=-]+", "_", stem).strip("._")[:_LONGEST] or "scores"
