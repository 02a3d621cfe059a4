"""A file is replaced whole or not at all, and nothing else is left in its folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lastlayer.files import replace_file, replace_text


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    replace_text(path, "ä\nb\n")
    assert path.read_bytes() == "ä\nb\n".encode()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_earlier_file_survives_a_failure(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise error

    with pytest.raises(type(error)):
        replace_file(path, fail)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions; run it on Linux or macOS")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_umask_decides_who_may_read_it(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        replace_text(tmp_path / "a.txt", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == mode


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_text(tmp_path / "nowhere" / "a.txt", "")
    assert not (tmp_path / "nowhere").exists()


def test_a_long_name_has_room_for_its_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 250)
    replace_text(path, "a")
    assert path.read_text() == "a"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes; run it on Linux or macOS")
def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a file"):
        replace_text(path, "after")
    assert path.is_fifo()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links; run it on Linux or macOS")
@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_is_followed(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    path, link = folder / "a.txt", tmp_path / "link.txt"
    if is_there:
        path.write_text("before")
    link.symlink_to(path)
    replace_text(link, "after")
    assert link.is_symlink()
    assert path.read_text() == "after"


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a.txt"
    with pytest.raises(OSError, match="No such file") as caught:
        replace_text(path, "after")
    assert caught.value.filename == str(path)
