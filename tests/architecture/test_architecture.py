"""The architecture: imports point down, the core is light, and the public names exist and are typed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

from running import run_python

import lastlayer as ll
from lastlayer.functions import named

ROOT = Path(__file__).parents[2]


def test_imports_point_down():
    command = [
        str(Path(sys.executable).with_name("lint-imports")),
        "--config",
        str(ROOT / "pyproject.toml"),
        "--no-cache",
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 0, result.stdout


def test_import_loads_no_framework():
    heavy = [
        "torch",
        "jax",
        "sklearn",
        "scipy",
        "pandas",
        "pyarrow",
        "matplotlib",
        "mpmath",
        "hypothesis",
        "click",
        "rich",
    ]
    loaded = json.loads(run_python("import sys, json, lastlayer; print(json.dumps(sorted(sys.modules)))").stdout)
    assert "numpy" in loaded
    assert [name for name in heavy if name in loaded] == []


def test_torch_is_loaded_when_a_tensor_comes_in():
    code = (
        "import sys, lastlayer as ll; name = 'lastlayer.backends.torch.backend'; before = name in sys.modules\n"
        "import torch; ll.softmax(torch.zeros(2)); print(before, name in sys.modules)"
    )
    assert run_python(code).stdout.split() == ["False", "True"]


#: Where code outside mappings/ names a mapping on purpose. "softmax", the default of every argument, may be named anywhere.
NAMED = {
    "benchmark/peers/entmax.py": {"entmax", "sparsemax"},  # The functions of the entmax package.
    "benchmark/peers/table.py": {"entmax"},  # The name of that package.
    "comparison/claims/case.py": {"ratio"},  # Claims that compare softmax with the ratio.
    "comparison/claims/derivatives.py": {"ratio"},
    "comparison/claims/invariance.py": {"ratio"},
    "comparison/claims/maximum.py": {"hardmax"},  # The claim that max is not differentiable.
    "comparison/figure/curves.py": {"ratio"},  # The curves that the titles speak of.
    "comparison/first.py": {"hardmax", "ratio", "sparsemax"},  # The rows and lines that are shown first.
    "evaluation/ladder.py": {"entmax", "sparsemax"},  # The mappings that an evaluation tries in the model's place.
    "explore/pictures.py": {"ratio"},  # The picture of the question.
    "kernels/triton/evaluate.py": {"entmax"},  # The mappings that have Triton kernels.
    "kernels/triton/loss.py": {"entmax"},
    "kernels/triton/serves.py": {"entmax", "sparsemax"},
    "marks.py": {"ratio"},  # The mapping of the question, which has a hue of its own.
}
#: Files with functions written out for editors and type checkers. A mapping may have one there, but does not need it.
WRITTEN_OUT = {"__init__.py", "functions/__init__.py", "functions/named.py"}


def test_one_file_and_one_line_per_mapping():
    """Every mapping is in a file of its name, and only the files listed above name it outside mappings/."""
    source = ROOT / "src" / "lastlayer"
    found: dict[str, set[str]] = {}
    for path in source.rglob("*.py"):
        place = path.relative_to(source).as_posix()
        if place.startswith("mappings/") or place in WRITTEN_OUT:
            continue
        strings = {
            node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)
        }
        if named := strings & (set(ll.MAPPINGS) - {"softmax"}):
            found[place] = named
    assert found == NAMED
    assert all((source / "mappings" / f"{name}.py").is_file() for name in ll.MAPPINGS)


def test_public_names():
    assert all(hasattr(ll, name) for name in ll.__all__)
    written_out = {name for name, value in vars(named).items() if getattr(value, "__module__", "") == named.__name__}
    assert "softmax" in written_out
    assert written_out <= set(ll.__all__)
    assert (Path(ll.__file__).parent / "py.typed").is_file()


def test_names_in_a_record_are_its_key():
    assert all(name == mapping.name for name, mapping in ll.MAPPINGS.items())


def test_the_words_are_loaded_when_they_are_first_used():
    code = (
        "import sys, lastlayer as ll; before = 'lastlayer.comparison' in sys.modules\n"
        "print(before, 'compare' in dir(ll), type(ll.compare([1, 0.5])) is ll.Comparison)"
    )
    assert run_python(code).stdout.split() == ["False", "True", "True"]
