"""Every C++ header of the native kernels compiles alone, so that an editor understands it, and includes what it uses."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import lastlayer

NATIVE = Path(lastlayer.__file__).parent / "kernels" / "native"
HEADERS = sorted(NATIVE.rglob("*.hpp"))
ENTRY = NATIVE / "api" / "entry.hpp"
COMPILER = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
# As in CMakeLists.txt; README.md of the kernels names them.
FLAGS = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
    "avx512": ["-mfma", "-mf16c", "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl"],
}
IS_X86 = platform.machine().lower() in ("x86_64", "amd64")

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler: install g++ or clang++")


# The two units of an instruction set: see api/isa_*.cpp.
UNITS = {"narrow": [], "float64": ["-DLASTLAYER_FLOAT64"]}


def errors_of(header: Path, flags: list[str]) -> str:
    # Clang warns about the pragma of a header that is no other's.
    command = [COMPILER, "-std=c++17", "-fsyntax-only", "-x", "c++", "-w", *flags, str(header)]
    result = subprocess.run(command, capture_output=True, text=True)
    return f"{header.relative_to(NATIVE)}: {result.stderr[:2000]}" if result.returncode else ""


@needs_compiler
def test_every_header_compiles_alone():
    assert len(HEADERS) > 40
    # Without vectors' intrinsics, which take four fifths of a compilation.
    with ThreadPoolExecutor(2) as pool:
        found = [errors for errors in pool.map(lambda header: errors_of(header, []), HEADERS) if errors]
    assert not found, "\n".join(found)


@needs_compiler
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", FLAGS)
def test_the_entry_compiles_for_every_instruction_set(name, unit):
    """The entry instantiates every loop and mapping: in one unit for float64, in the other for the narrower types."""
    if FLAGS[name] and not IS_X86:
        pytest.skip(f"{name} is an instruction set of x86-64, and this machine is {platform.machine()}")
    errors = errors_of(ENTRY, [*FLAGS[name], *UNITS[unit]])
    assert not errors, errors


def defined_names(text: str) -> set[str]:
    """Types, constants and functions at namespace level, where lines are not indented."""
    found = re.findall(r"^(?:struct|class|enum class) (\w+)", text, re.MULTILINE)
    found += re.findall(r"^using (\w+) =", text, re.MULTILINE)
    found += re.findall(
        r"^(?:LASTLAYER_INLINE|__attribute__\(\(noinline\)\)|inline|constexpr) [\w:<>,\s*]*?\b(\w+)(?:\(| = )",
        text,
        re.MULTILINE,
    )
    return set(found)


def test_every_header_includes_what_it_uses():
    """A template's dependent names are looked up late, so compiling a header alone does not find each missing include."""
    code = {path: re.sub(r"//[^\n]*", "", path.read_text()) for path in HEADERS}
    included = {
        path: {(path.parent / name).resolve() for name in re.findall(r'#include "([^"]+)"', text)}
        for path, text in code.items()
    }
    owners: dict[str, set[Path]] = {}
    for path, text in code.items():
        for name in defined_names(text):
            owners.setdefault(name, set()).add(path)
    # Short names of functions are variables' elsewhere.
    owners = {name: paths for name, paths in owners.items() if len(paths) == 1 and (name[0].isupper() or len(name) > 4)}
    assert len(owners) > 100

    def reached(path: Path, seen: set[Path]) -> set[Path]:
        for other in included[path] - seen:
            seen.add(other)
            reached(other, seen)
        return seen

    missing = []
    for path, text in code.items():
        available = reached(path, {path})
        called = re.findall(r"(?<![\w.>])(\w+)(?=\s*[(<{;]| \w+[;(={,])", text)
        types = re.findall(r"(?<![\w.])[A-Z]\w+", text)
        for name in sorted({*called, *types} & owners.keys()):
            (owner,) = owners[name]
            # Its own: a forward declaration, a member function, a parameter, a member type.
            is_own = re.search(
                rf"(?:struct|class) {name};|(?:void|&) {name}\b|\b{name} (?:=|__attribute__)|\) {name};", text
            )
            if owner not in available and not is_own:
                missing.append(f"{path.relative_to(NATIVE)} uses {name} of {owner.relative_to(NATIVE)}")
    assert not missing, "\n".join(missing)
