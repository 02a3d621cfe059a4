"""An installation without compiled kernels works, and says why it has none: once at import, and in `lastlayer config`."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np
import pytest
from package_copy import PATH_ALONE, SOURCE, copy_package, run_in_copy

import lastlayer as ll

RECORD = 'REASON = "no C++ compiler was found"\nREMEDY = "Install GCC or Clang"\n'
#: What is in kernels/, and what is then said: the reason at import, the remedy in addition by `lastlayer config`.
CASES: dict[str, tuple[dict[str, str], str, str]] = {
    "built without a compiler": (
        {"not_compiled.py": RECORD},
        "when it was built, no C++ compiler was found",
        "Install GCC or Clang. Then reinstall it: pip install ",
    ),
    "file lost": ({}, "its compiled file is missing", "Reinstall it: pip install "),
    "file of another Python": (
        {"native.cpython-399-x86_64-linux-gnu.so": ""},
        "its compiled file native.cpython-399-x86_64-linux-gnu.so is for another Python or another system",
        "Reinstall it: pip install ",
    ),
    "file that fails to load": (
        {f"native{EXTENSION_SUFFIXES[0]}": "not a library"},
        "its compiled file fails to load (",
        "Reinstall it: pip install ",
    ),
    "source tree": (
        {"native/module.cpp": ""},
        "it is a source tree, not an installation",
        "In its top folder run: pip install --editable .",
    ),
}
SHOW = """
import warnings; warnings.simplefilter("error")
import lastlayer as ll
print(ll.show_config()["native_kernels"])
print(ll.softmax([1.0, 0.5]).tolist())
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package without kernels."""
    return copy_package(tmp_path, has_kernels=False)


def put(package: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = package / "kernels" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("case", CASES)
def test_the_reason_is_said(case: str, package: Path) -> None:
    files, reason, remedy = CASES[case]
    put(package, files)
    run = run_in_copy(package, SHOW)
    shown, result = run.stdout.splitlines()
    assert shown.startswith(f"none: {reason}")
    assert remedy in shown
    np.testing.assert_allclose(eval(result), ll.softmax([1.0, 0.5]), rtol=1e-15)
    # One line, and no warning, which SHOW would turn into an error.
    said = run.stderr.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"lastlayer runs without its compiled kernels, so it is slower: {reason}")
    assert said[0].endswith(". What to do: lastlayer config")


def test_the_command_says_it(package: Path) -> None:
    put(package, CASES["built without a compiler"][0])
    run = run_in_copy(
        package, "sys.argv = ['lastlayer', 'config']; from lastlayer.cli import main; main()", COLUMNS="200"
    )
    assert "native kernels  none: when it was built, no C++ compiler was found. Install GCC or Clang." in run.stdout


def test_the_message_can_be_silenced(package: Path) -> None:
    code = "import logging; logging.getLogger('lastlayer').setLevel(logging.ERROR); import lastlayer"
    assert run_in_copy(package, code).stderr == ""


def test_workers_do_not_repeat_it(package: Path) -> None:
    code = (
        "import joblib\n"
        "def work(i):\n"
        f"    {PATH_ALONE}\n"
        "    import lastlayer as ll\n"
        "    return ll.show_config()['native_kernels']\n"
        "if __name__ == '__main__':\n"
        "    import lastlayer\n"
        "    print(joblib.Parallel(n_jobs=2)(joblib.delayed(work)(i) for i in range(2)))\n"
    )
    run = run_in_copy(package, code)
    assert run.stdout.count("its compiled file is missing") == 2
    assert run.stderr.count("runs without") == 1


def test_kernels_that_are_asked_for_and_fail_to_load_are_an_error(package: Path) -> None:
    put(package, CASES["file that fails to load"][0])
    run = run_in_copy(package, "import lastlayer", is_checked=False, LASTLAYER_ISA="baseline")
    assert run.returncode != 0
    assert "ImportError" in run.stderr


def test_with_kernels_nothing_is_said(tmp_path: Path) -> None:
    if ll.show_config()["native_kernels"].startswith("none"):
        pytest.skip("built without kernels; install a C++ compiler")
    run = run_in_copy(copy_package(tmp_path), SHOW)
    assert not run.stdout.startswith("none")
    assert run.stderr == ""


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs CMake; pip install cmake")
def test_a_build_without_a_compiler_leaves_its_reason_and_forgets_it(tmp_path: Path) -> None:
    """What a first build remembers must not hide a compiler that was installed after it."""
    make = shutil.which("ninja") or shutil.which("make")
    assert make is not None, "needs Ninja; pip install ninja"
    generator = "Ninja" if Path(make).name == "ninja" else "Unix Makefiles"
    shutil.copy(SOURCE.parents[1] / "CMakeLists.txt", tmp_path)
    program = shutil.which("cmake")
    cmake = [program, "-S", tmp_path, "-B", tmp_path / "build", "-G", generator, f"-DCMAKE_MAKE_PROGRAM={make}"]
    bare = {name: value for name, value in os.environ.items() if name not in ("CXX", "PATH")} | {"PATH": str(tmp_path)}
    first = subprocess.run(cmake, env=bare, capture_output=True, text=True, check=True)
    assert "built without its native kernels: no C++ compiler was found" in " ".join(first.stderr.split())
    subprocess.run(
        [program, "--install", tmp_path / "build", "--prefix", tmp_path / "out"], capture_output=True, check=True
    )
    record = runpy.run_path(str(tmp_path / "out" / "lastlayer" / "kernels" / "not_compiled.py"))
    assert record["REASON"] == "no C++ compiler was found"
    assert record["REMEDY"].startswith("Install GCC or Clang")
    if shutil.which("c++") is None:
        pytest.skip("needs a C++ compiler; on Debian and Ubuntu: apt-get install g++")
    # Goes as far as the compiler, and then misses what was not copied.
    second = subprocess.run(cmake, capture_output=True, text=True, check=False)
    assert "C++ compiler was found" not in second.stderr
    assert "The CXX compiler identification is" in second.stdout
