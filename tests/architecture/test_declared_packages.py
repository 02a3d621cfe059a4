"""Every package that the source imports is declared: in the core where the command needs it, else in an extra."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from running import run_python

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "lastlayer"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
#: Packages that another one brings.
BROUGHT = {"triton": "torch"}


# Slow: it reads what every installed package says of itself.
DISTRIBUTIONS = packages_distributions()


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    return {normalized(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}


CORE = names(PROJECT["dependencies"])
EXTRAS = {extra: names(found) for extra, found in PROJECT["optional-dependencies"].items() if extra != "dev"}


class WithoutTypes(ast.NodeTransformer):
    """Leaves out what only type checkers read."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        is_for_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return node.orelse if is_for_types else self.generic_visit(node)


def imported(path: Path, *, at_run_time: bool = False) -> set[str]:
    """The distributions that a file imports anywhere, without Python's own and ours."""
    modules: set[str] = set()
    tree: ast.AST = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(WithoutTypes().visit(tree) if at_run_time else tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(str(node.module).partition(".")[0])
    others = modules - sys.stdlib_module_names - {"lastlayer"}
    # A package that is not installed here has, as far as anyone knows, the name that is imported.
    return {normalized(DISTRIBUTIONS.get(name, [name])[0]) for name in others}


def test_every_import_is_declared():
    declared = CORE.union(*EXTRAS.values())
    undeclared = {
        path.relative_to(SOURCE).as_posix(): missing
        for path in sorted(SOURCE.rglob("*.py"))
        if (missing := {BROUGHT.get(name, name) for name in imported(path)} - declared)
    }
    assert undeclared == {}


def test_what_the_command_loads_needs_the_core_alone():
    code = (
        "import json, sys, lastlayer.cli\n"
        "print(json.dumps([m.__file__ for n, m in sys.modules.items() if n.partition('.')[0] == 'lastlayer']))"
    )
    loaded = [Path(name) for name in json.loads(run_python(code).stdout) if name and name.endswith(".py")]
    assert SOURCE / "cli" / "app.py" in loaded
    found = {path.relative_to(SOURCE).as_posix(): imported(path, at_run_time=True) - CORE for path in loaded}
    assert {place: needed for place, needed in found.items() if needed} == {}


def test_every_requirement_of_the_core_is_used():
    used = set().union(*(imported(path) for path in SOURCE.rglob("*.py")))
    assert used >= CORE
