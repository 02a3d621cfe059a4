"""Adding a mapping is one file and one line: done here in a copy of the project, with the record of CONTRIBUTING."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

import pytest
from package_copy import copy_package, run_in_copy

ROOT = Path(__file__).parents[2]
#: What CONTRIBUTING leaves to the author: g, for the formulas and for the oracle.
CARRY = (ROOT / "tests" / "warm_softmax.py").read_text(encoding="utf-8").partition("WARM_SOFTMAX =")[0]
ORACLE = """def g(score, mp):
    return mp.exp(score / 2)


"""
CONTRACT = """
import lastlayer as ll
import numpy as np

ll.check_mapping("mymapping")
np.testing.assert_allclose(ll.probabilities([1.0, 0.5], mapping="mymapping"), ll.softmax([0.5, 0.25]), rtol=1e-15)
assert not hasattr(ll, "mymapping")
"""
COMMAND = """
import sys
from lastlayer.cli import main

def call(*arguments):
    sys.argv = ["lastlayer", *arguments]
    try:
        main()
    except SystemExit as end:
        assert not end.code, arguments

call("explain")
call("explain", "mymapping")
call("compare", "1", "0.5", "--label", "0", "--all")
call("study", "iris", "--folds", "2", "--repeats", "1", "--C", "1", "--mappings", "softmax,mymapping", "--out", "{folder}/study")
"""
DOCUMENTS = """
import runpy
from pathlib import Path

root = Path("{folder}")
main = runpy.run_path(str(root / "docs" / "render.py"))["main"]
assert main([], root=root) == 0
assert main(["--check"], root=root) == 0
"""
TORCH = """
import torch
import lastlayer.torch

x = torch.tensor([[1.0, 0.5]], requires_grad=True)
torch.testing.assert_close(lastlayer.torch.Mymapping()(x), torch.softmax(x / 2, -1))
lastlayer.torch.linear_loss(x, torch.eye(2), torch.tensor([0]), mapping="mymapping").backward()
"""
#: Tests that look at every mapping, in files that start no other process, which would import the original.
LISTS = """
import sys
import pytest

folder = "{folder}/tests/"
files = ["architecture/test_architecture.py", "comparison/test_cards.py", "comparison/test_compare.py", "cli/test_other_commands.py"]
chosen = "public_names or names_in_a_record or one_file_and_one_line or test_cards or test_compare or explain"
sys.exit(pytest.main([*(folder + file for file in files), "-k", chosen, "-q", "-n", "0", "-p", "no:cacheprovider"]))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project whose package has one file and one line more."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "src").mkdir()
    package = copy_package(folder / "src")
    block = re.search(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    record = textwrap.dedent(block[1])
    (package / "mappings" / "mymapping.py").write_text(f"{CARRY}{ORACLE}{record}", encoding="utf-8")
    table = package / "mappings" / "__init__.py"
    text = table.read_text(encoding="utf-8")
    text = text.replace("MAPPINGS:", "from lastlayer.mappings.mymapping import MYMAPPING\n\nMAPPINGS:", 1)
    table.write_text(text.replace("        ENTMAX,\n", "        ENTMAX,\n        MYMAPPING,\n", 1), encoding="utf-8")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copytree(ROOT / "benchmarks" / "results", folder / "benchmarks" / "results")
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    # docs/architecture.md is rendered from it.
    (package / "kernels" / "native").mkdir()
    shutil.copy(ROOT / "src" / "lastlayer" / "kernels" / "native" / "README.md", package / "kernels" / "native")
    return package


def test_it_keeps_the_contract(package: Path) -> None:
    run_in_copy(package, CONTRACT)


def test_the_commands_show_it(package: Path) -> None:
    folder = package.parents[1]
    shown = run_in_copy(package, COMMAND.format(folder=folder), NO_COLOR="1", COLUMNS="100").stdout
    explained, card, compared, studied = (
        shown.index(text) for text in ("mymapping", "Author year, title", "loss if 0", "Studied: iris (150 rows")
    )
    assert explained < card < compared < studied
    assert re.search(r"^mymapping +0\.5622  0\.4378", shown[compared:studied], re.MULTILINE)
    assert re.search(r"^mymapping +(better|equal|cannot|unclear|worse)", shown[studied:], re.MULTILINE)
    assert "mymapping" in (folder / "study" / "iris" / "report.html").read_text(encoding="utf-8")


def test_the_documents_show_it(package: Path) -> None:
    folder = package.parents[1]
    run_in_copy(package, DOCUMENTS.format(folder=folder))
    assert "| [mymapping](docs/mappings.md#mymapping) |" in (folder / "README.md").read_text(encoding="utf-8")
    assert "\n## mymapping\n" in (folder / "docs" / "mappings.md").read_text(encoding="utf-8")


def test_torch_has_it_and_no_list_has_to_name_it(package: Path) -> None:
    """In one process, since both load torch."""
    folder = package.parents[1]
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    run = run_in_copy(package, TORCH + LISTS.format(folder=folder), is_checked=False)
    assert run.returncode == 0, run.stdout + run.stderr
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed is not None
    assert int(passed[1]) > 40, run.stdout
