"""How much memory this process may still take."""

from __future__ import annotations

import re
from pathlib import Path

from lastlayer.study.error import StudyError

_MEMINFO = Path("/proc/meminfo")
_STATUS = Path("/proc/self/status")
_LIMITS = Path("/proc/self/limits")
_CGROUP = Path("/sys/fs/cgroup")
#: Numbers of 8 bytes that a study holds for each cell at the least: the file's, the table's, and those of one split.
_COPIES = 3


def available_memory() -> int | None:
    """Bytes: the least of what the machine, the control group and the process limit leave; None where nothing says so."""
    bounds = [bound for bound in (_of_machine(), _of_group(), _of_process()) if bound is not None]
    return max(min(bounds), 0) if bounds else None


def check_fits(name: str, rows: int, columns: int) -> None:
    """Raise StudyError where a table of this size takes more memory than there is."""
    needed = _COPIES * 8 * rows * columns
    free = available_memory()
    if free is not None and needed > free:
        raise StudyError(
            f"{name} has {rows} rows of {columns} columns, for which a study takes "
            f"{needed / 1e9:.1f} GB of memory or more; {free / 1e9:.1f} GB are free. Give a sample of its rows."
        )


def _of_machine() -> int | None:
    return _kilobytes(_MEMINFO, "MemAvailable")


def _of_group() -> int | None:
    most, used = _number(_CGROUP / "memory.max"), _number(_CGROUP / "memory.current")
    return None if most is None or used is None else most - used


def _of_process() -> int | None:
    most = re.search(r"^Max address space\s+(\d+)", _text(_LIMITS), re.MULTILINE)
    used = _kilobytes(_STATUS, "VmSize")
    return None if most is None or used is None else int(most[1]) - used


def _kilobytes(path: Path, name: str) -> int | None:
    found = re.search(rf"^{name}:\s+(\d+) kB", _text(path), re.MULTILINE)
    return None if found is None else 1024 * int(found[1])


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
