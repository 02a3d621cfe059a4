"""The bytes of a table's file, unpacked, and the encoding of its text."""

from __future__ import annotations

import codecs
import gzip
import io
import sys
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, cast

from lastlayer.findings import Finding
from lastlayer.study.error import StudyError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: First bytes of files that are no text tables; what they are, and what to do.
_OTHERS = (
    (b"pk\x03\x04", "a .zip archive or a workbook", "give it the suffix .zip or .xlsx"),
    (b"\x1f\x8b", "a gzip file", "give it the suffix .gz after the other one"),
    (b"par1", "a Parquet file", "give it the suffix .parquet"),
    (b"arrow1", "a Feather file", "give it the suffix .feather"),
    (b"<!doctype html", "a page of HTML", "download the table itself"),
    (b"<html", "a page of HTML", "download the table itself"),
    (b"%pdf", "a PDF file", "save the table as .csv"),
)
#: Bytes that an encoding is recognised by, and that are decoded at a time.
_HEAD, _BLOCK = 4096, 1 << 20
#: Zeros in a head of UTF-16 text without a mark, as a share of its bytes: most Latin letters have one.
_ZEROS = 0.3


@dataclass(frozen=True)
class TextFile:
    """A file of text: where its bytes are, and how they are packed.

    Attributes:
        name: as messages call it.
        path: the file, or None for standard input.
        packing: gzip, zip, or nothing.
        asked: the encoding that was asked for.
    """

    name: str
    path: Path | None
    packing: str = ""
    asked: str | None = None

    def open(self) -> IO[bytes]:
        """The unpacked bytes, from the start.

        Raises:
            OSError: the file cannot be read.
            StudyError: it is not packed as its name says, or a .zip file holds several tables.
        """
        if self.path is None:
            return io.BytesIO(self._stdin)
        if self.packing == "gzip":
            return cast("IO[bytes]", gzip.open(self.path))
        if self.packing == "zip":
            return self._open_zip(self.path)
        return self.path.open("rb")

    @cached_property
    def _stdin(self) -> bytes:
        return sys.stdin.buffer.read()

    def _open_zip(self, path: Path) -> IO[bytes]:
        try:
            archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise StudyError(f"{self.name} is no readable .zip file; pack it again, or give the file in it.") from error
        members = zip_members(archive)
        if len(members) != 1:
            held = ", ".join(members[:8]) or "nothing"
            raise StudyError(
                f"{self.name} holds {len(members)} files ({held}); a study needs one. Unpack it and give the one you mean."
            )
        return archive.open(members[0])

    @cached_property
    def encoding(self) -> str:
        """The encoding that was asked for, that a byte order mark says, UTF-8, or a guess.

        Raises:
            StudyError: there is no encoding of that name.
        """
        if self.asked is not None:
            try:
                name = codecs.lookup(self.asked).name
            except LookupError:
                raise StudyError(
                    f"There is no encoding {self.asked!r}; usual ones are utf-8, utf-16, cp1252 (Western Europe), cp1251 (Cyrillic) "
                    "and shift_jis (Japanese)."
                ) from None
            return "utf-8-sig" if name == "utf-8" else name
        with self.open() as file:
            head = file.read(_HEAD)
            self._refuse_other(head)
            for mark, encoding in _MARKS:
                if head.startswith(mark):
                    return encoding
            pairs = len(head) // 2
            if pairs and head.count(0) > _ZEROS * len(head):
                return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
            return self._of_bytes(head, file)

    def _refuse_other(self, head: bytes) -> None:
        """Raise StudyError where the first bytes are those of another kind of file than the name says."""
        start = head.lstrip()[:15].lower()
        for mark, kind, remedy in _OTHERS:
            if start.startswith(mark):
                raise StudyError(f"{self.name} is {kind}, whatever its name says; {remedy}.")

    @staticmethod
    def _of_bytes(head: bytes, file: IO[bytes]) -> str:
        """UTF-8 if all bytes are, otherwise Windows-1252, or Latin-1 where that has no letter for a byte."""
        utf8, western = codecs.getincrementaldecoder("utf-8")(), codecs.getincrementaldecoder("cp1252")()
        fits_utf8 = fits_western = True
        block = head
        while block:
            if fits_utf8:
                fits_utf8 = _fits(utf8, block)
            if not block.isascii() and fits_western:
                fits_western = _fits(western, block)
            block = file.read(_BLOCK)
        if fits_utf8 and _fits(utf8, b"", final=True):
            return "utf-8-sig"
        return "cp1252" if fits_western else "latin-1"

    def findings(self) -> tuple[Finding, ...]:
        """That the encoding is another one than UTF-8, with the first word that shows it."""
        if self.encoding.startswith("utf-8"):
            return ()
        facts = {"file": self.name, "encoding": self.encoding, "example": self._example()}
        if self.asked is not None or self.encoding.startswith("utf"):
            return (Finding("encoding_recognised", facts=facts),)
        return (Finding("encoding_guessed", facts=facts),)

    def _example(self) -> str:
        with self.open() as file, io.TextIOWrapper(file, encoding=self.encoding, errors="replace") as text:
            for line in text:
                if not line.isascii():
                    return next(
                        (
                            word.strip()
                            for word in line.replace("\t", ",").replace(";", ",").split(",")
                            if not word.isascii()
                        ),
                        "",
                    )
        return ""


def _fits(decoder: codecs.IncrementalDecoder, block: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def zip_members(archive: zipfile.ZipFile) -> list[str]:
    """The files in an archive; without folders, and without what macOS adds."""
    return [
        name
        for name in archive.namelist()
        if not name.endswith("/") and not name.startswith("__MACOSX/") and not name.rpartition("/")[2].startswith(".")
    ]


def zip_suffix(path: Path) -> str:
    """The suffix of the one file in an archive, or nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = zip_members(archive)
    except (OSError, zipfile.BadZipFile):
        return ""
    return Path(members[0]).suffix.lower() if members else ""
