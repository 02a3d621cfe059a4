"""The house keeps its shape: imports point down, the core is light, the public names are there and typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from running import run_python

import lastlayer as ll

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
        "typer",
        "rich",
    ]
    loaded = json.loads(run_python("import sys, json, lastlayer; print(json.dumps(sorted(sys.modules)))").stdout)
    assert "numpy" in loaded
    assert [name for name in heavy if name in loaded] == []


def test_torch_is_loaded_when_a_tensor_comes_in():
    code = (
        "import sys, lastlayer as ll; before = 'lastlayer.torch' in sys.modules\n"
        "import torch; ll.softmax(torch.zeros(2)); print(before, 'lastlayer.torch' in sys.modules)"
    )
    assert run_python(code).stdout.split() == ["False", "True"]


def test_one_file_and_one_line_a_mapping():
    """Every mapping stands in a file of its own name, and nothing outside mappings/ and the written-out functions names it."""
    source = ROOT / "src" / "lastlayer"
    for name in ll.MAPPINGS:
        assert (source / "mappings" / f"{name}.py").is_file()
    allowed = {"mappings", "functions"}
    for path in source.rglob("*.py"):
        if path.relative_to(source).parts[0] in allowed or path.name == "__init__.py":
            continue
        text = path.read_text(encoding="utf-8")
        for name in ("taylor", "stablemax", "sigmoid_ratio", "softplus_ratio"):
            assert f'"{name}"' not in text, f"{path.relative_to(ROOT)} names {name}"


def test_public_names():
    assert all(hasattr(ll, name) for name in ll.__all__)
    assert set(ll.MAPPINGS) <= set(ll.__all__)
    assert (Path(ll.__file__).parent / "py.typed").is_file()


def test_names_in_a_record_are_its_key():
    assert all(name == mapping.name for name, mapping in ll.MAPPINGS.items())
