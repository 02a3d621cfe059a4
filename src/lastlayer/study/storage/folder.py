"""One folder per table and target, so that a study does not replace another one's report."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from lastlayer.files import replace_text
from lastlayer.study.error import StudyError

#: What a folder is for; a study of something else takes the next name.
_MARK = ".study"
_LONGEST = 60


def study_folder(out: Path, parts: Iterable[str], source: str) -> Path:
    """The folder of a study below `out`, made and checked: the parts "data" and "y" get out/data-y.

    Args:
        parts: what it is named after; empty ones are left out.
        source: what distinguishes two tables of one name, such as the file's absolute path. Only its digest is stored.

    Raises:
        StudyError: the folder cannot be made or written.
    """
    parts = list(parts)
    wanted = "-".join(filter(None, map(_slug, parts)))[:_LONGEST] or "data"
    mark = hashlib.sha256("\n".join([source, *parts]).encode(errors="surrogatepass")).hexdigest()
    number = 1
    while True:
        folder = out / (wanted if number == 1 else f"{wanted}-{number}")
        try:
            if _is_for(folder, mark):
                return folder
        except OSError as error:
            raise StudyError(
                f"The folder {folder} cannot be written ({error.strerror or error}); give another one with --out."
            ) from error
        number += 1


def _is_for(folder: Path, mark: str) -> bool:
    """Whether the folder is this study's, or free; a free one is taken. One with anybody's files in it is not free."""
    path = folder / _MARK
    if path.is_file():
        return path.read_text(encoding="utf-8", errors="replace").strip() == mark
    if folder.is_dir() and any(folder.iterdir()):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(path, f"{mark}\n")
    return True


def _slug(text: str) -> str:
    """Letters, digits, dots and dashes alone; a leading dot would hide the folder."""
    return re.sub(r"[^\w.=-]+", "_", text).strip("._")
