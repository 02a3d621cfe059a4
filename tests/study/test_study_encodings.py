"""Text files of every encoding, and lines that are no rows."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import numpy as np
import pytest

from lastlayer.report import finding_sentence
from lastlayer.study.data.datasets import load_dataset
from lastlayer.study.error import StudyError

TEXT = "x,größe,y\n" + "".join(f"{i},{'klein' if i % 2 else 'größer'},{'ja' if i % 3 else 'näh'}\n" for i in range(12))
ENCODINGS = {
    "utf-8": (TEXT.encode(), ""),
    "utf-8 with a mark": (codecs.BOM_UTF8 + TEXT.encode(), ""),
    "latin-1": (TEXT.encode("latin-1"), "is not UTF-8 text and was read as Windows-1252 .*as in 'größe'.*--encoding"),
    "cp1252": (TEXT.replace("klein", "€ klein").encode("cp1252"), "Windows-1252"),
    "bytes that cp1252 lacks": (TEXT.encode("latin-1").replace(b"klein", b"kl\x81in"), "read as Latin-1"),
    "utf-16": (TEXT.encode("utf-16"), "was read as UTF-16 text"),
    "utf-16 big": (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "was read as UTF-16 text"),
    "utf-16 without a mark": (TEXT.encode("utf-16-le"), "was read as UTF-16-LE text"),
    "utf-16 big without a mark": (TEXT.encode("utf-16-be"), "was read as UTF-16-BE text"),
    "utf-32": (TEXT.encode("utf-32"), "was read as UTF-32 text"),
}


@pytest.mark.parametrize("kind", ENCODINGS)
def test_encodings_are_recognised_and_said(kind: str, tmp_path: Path) -> None:
    content, note = ENCODINGS[kind]
    (tmp_path / "t.csv").write_bytes(content)
    data = load_dataset(tmp_path / "t.csv", "y")
    assert list(data.features) == ["x", "größe"]
    assert data.class_names == ("ja", "näh")
    assert data.features["größe"].iloc[0] == "größer"
    notes = " ".join(map(finding_sentence, data.findings))
    assert bool(notes) == bool(note)
    assert len(data.findings) == bool(note)
    if note:
        assert re.search(note, notes), notes


def test_a_letter_far_down_decides(tmp_path: Path) -> None:
    rows = "".join(f"{i},{'uv'[i % 2]}\n" for i in range(200_000))
    (tmp_path / "t.csv").write_bytes(("x,y\n" + rows).encode() + b"5,\xe4\n" * 5)
    assert load_dataset(tmp_path / "t.csv", "y").class_names == ("u", "v", "ä")


def test_an_encoding_may_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("x,y\n1,да\n2,нет\n".encode("cp1251"))
    data = load_dataset(tmp_path / "t.csv", "y", encoding="windows-1251")
    assert data.class_names == ("да", "нет")
    with pytest.raises(StudyError, match="There is no encoding 'klingon'; usual ones are utf-8"):
        load_dataset(tmp_path / "t.csv", "y", encoding="klingon")
    with pytest.raises(StudyError, match=r"no text in the encoding utf-8-sig .*name another one with --encoding"):
        load_dataset(tmp_path / "t.csv", "y", encoding="UTF8")


ROWS = "".join(f"{i},{i * i},{'uv'[i % 2]}\n" for i in range(12))
ODD = {
    "comments": ("# by a tool\n# 2024\na,b,y\n" + ROWS, 12, "Lines 1 to 2 of t.csv are comments and were left out ('# by a tool')."),
    "one comment": ("% by, a tool\na,b,y\n" + ROWS, 12, "Line 1 of t.csv is a comment and was left out ('% by, a tool')."),
    "a header that begins with #": ("#a,b,y\n" + ROWS, 12, ""),
    "a comment and that header": ("# by a tool\n#a,b,y\n" + ROWS, 12, "Line 1 of t.csv is a comment and was left out ('# by a tool')."),
    "units": ("a,b,y\nmm,kg,class\n" + ROWS, 12, "The first line below the header of t.csv is a second header and was left out: 'mm', 'kg' and 'class'."),
    "a total": ("a,b,y\n" + ROWS + "Total,999,u\n", 12, "The last row of t.csv says 'Total' and was left out: it is a total, no example."),
    "both": ("a,b,y\nmm,kg,\n" + ROWS + "Sum:,999,u\n", 12, "it is a total"),
    "words of one column": ("a,b,y\nmissing,5,u\n" + ROWS, 13, "Column 'a' of t.csv holds text, and 12 of 13 cells are numbers: 'missing' (1 cell) as missing."),
    "missing words in all": ("a,b,y\n?,-,u\n" + ROWS, 13, "Column 'a' of t.csv holds text"),
    "totals everywhere": ("a,b,y\n" + "total,1,u\nsum,2,v\n" * 6 + "total,3,u\n", 13, ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
def test_lines_that_are_no_rows(kind: str, tmp_path: Path) -> None:
    text, rows, note = ODD[kind]
    (tmp_path / "t.csv").write_text(text)
    data = load_dataset(tmp_path / "t.csv", "y")
    assert len(data.labels) == rows
    assert data.class_names == ("u", "v")
    if "everywhere" not in kind:
        assert (data.features.dtypes == np.float64).all()
    notes = [finding_sentence(finding) for finding in data.findings]
    assert any(note in said for said in notes) if note else notes == []
