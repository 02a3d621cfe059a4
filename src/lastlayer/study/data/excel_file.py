"""A table from the first sheet of a workbook, by whatever engine of pandas is installed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd

from lastlayer.findings import Finding
from lastlayer.study.data.names import check_names
from lastlayer.study.error import StudyError

#: Suffix → the package that pandas reads such files with.
ENGINES = {".xlsx": "openpyxl", ".xlsm": "openpyxl", ".xls": "xlrd", ".xlsb": "pyxlsb", ".ods": "odfpy"}


def read_excel(path: Path) -> tuple[pd.DataFrame, list[Finding]]:
    """The first sheet; a finding names the others.

    Raises:
        OSError: the file cannot be read.
        StudyError: there is no engine, it is no workbook, or two columns share a name.
    """
    package = ENGINES[path.suffix.lower()]
    try:
        with pd.ExcelFile(path) as book:
            sheets = [str(sheet) for sheet in book.sheet_names]
            header = pd.read_excel(book, sheet_name=sheets[0], header=None, nrows=1)
            check_names(["" if pd.isna(name) else str(name).strip() for name in header.to_numpy().ravel()], path.name)
            frame = pd.read_excel(book, sheet_name=sheets[0]).rename(columns=str)
    except ImportError as error:
        raise StudyError(
            f"{path.name} is a workbook, which needs the package {package}: pip install {package}, or save the sheet as .csv."
        ) from error
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        if isinstance(error, StudyError):
            raise
        raise StudyError(
            f"{path.name} is no readable workbook ({error}); save it again, or save the sheet as .csv."
        ) from error
    others = {"file": path.name, "sheet": sheets[0], "others": sheets[1:]}
    return frame, [Finding("sheets_left_out", facts=others)] if len(sheets) > 1 else []
