"""native.pyi says what the extension has: every name, and every function's arguments in their order."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import lastlayer.kernels as folder

kernels = pytest.importorskip("lastlayer.kernels.native", reason="install a C++ compiler and reinstall")
STUB = ast.parse((Path(folder.__file__).parent / "native.pyi").read_text())
FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}


def test_the_stub_has_every_name_and_no_other():
    names = {name for name in dir(kernels) if not name.startswith("__")}
    values = {node.target.id for node in STUB.body if isinstance(node, ast.AnnAssign)}
    assert names == set(FUNCTIONS) | values


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_stub_has_every_argument(name):
    """Every overload has the stub's argument names, with defaults for the same ones."""
    arguments = FUNCTIONS[name].args
    stubbed = [argument.arg for argument in arguments.args]
    optional = stubbed[len(stubbed) - len(arguments.defaults) :]
    overloads = getattr(kernels, name).__nb_signature__
    assert overloads
    for signature, *_ in overloads:
        inside = re.fullmatch(r"def \w+\((.*)\) -> .*", signature, re.DOTALL).group(1)
        # Types and defaults have commas of their own, inside brackets.
        while (bare := re.sub(r"\[[^\[\]]*\]|\([^()]*\)", "", inside)) != inside:
            inside = bare
        given = [part.strip() for part in inside.split(",") if part.strip() and part.strip() != "/"]
        assert [part.split(":")[0].strip() for part in given] == stubbed, signature
        assert [part.split(":")[0].strip() for part in given if "=" in part] == optional, signature
