"""A copy of the package, for tests that change it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from running import run_python

from lastlayer.backends import EXTENSION

SOURCE = Path(__file__).parents[1] / "src" / "lastlayer"
#: An editable installation finds the original first, by a finder of its own.
PATH_ALONE = (
    "import importlib.machinery as m, sys; sys.meta_path[:] = [m.BuiltinImporter, m.FrozenImporter, m.PathFinder]"
)


def copy_package(folder: Path, *, has_kernels: bool = True) -> Path:
    """Copy the Python files, and the compiled kernels if there are any and they are wanted; returns the copy's folder."""
    package = folder / "lastlayer"
    left_out = shutil.ignore_patterns("__pycache__", "*.?pp", "*.so", "*.pyd", "CMakeLists.txt", "native")
    shutil.copytree(SOURCE, package, ignore=left_out)
    if has_kernels and EXTENSION is not None:
        shutil.copy(EXTENSION.__file__, package / "kernels")
    return package


def run_in_copy(
    package: Path, code: str, is_checked: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run code in a new Python that imports this copy."""
    return run_python(f"{PATH_ALONE}\n{code}", is_checked, PYTHONPATH=str(package.parent), **environment)
