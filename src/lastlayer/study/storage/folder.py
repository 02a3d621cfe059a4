"""One folder per table and target, so that a study does not replace another one's report."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from lastlayer.files import replace_text
from lastlayer.study.error import StudyError

#: What a folder is for; a study of something else takes the next name.
_MARK = ".study"
_LONGEST = 60


def study_folder(out: Path, name: str, target: str | None, source: str) -> Path:
    """The folder of a study below `out`, made and checked: data.csv and the target y get out/data-y.

    Args:
        name: of the dataset, or of the file.
        target: the target column of a file.
        source: what distinguishes two tables of one name, such as the file's absolute path. Only its digest is stored.

    Raises:
        StudyError: the folder cannot be made or written.
    """
    # data.csv.gz is data; .csv is csv.
    stem = Path(name).name.lstrip(".").partition(".")[0]
    wanted = "-".join(filter(None, map(_slug, (stem, target or ""))))[:_LONGEST] or "data"
    mark = hashlib.sha256(f"{source}\n{target}".encode(errors="surrogatepass")).hexdigest()
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
    """Whether the folder is this study's, or free; a free one is taken."""
    path = folder / _MARK
    if path.is_file():
        return path.read_text(encoding="utf-8", errors="replace").strip() == mark
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(path, f"{mark}\n")
    return True


def _slug(text: str) -> str:
    """Letters, digits, dots and dashes alone; a leading dot would hide the folder."""
    return re.sub(r"[^\w.=-]+", "_", text).strip("._")
