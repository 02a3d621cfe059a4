"""The examples of the gallery run as they are, and their notebooks can be read."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from pages import ROOT

pytest.importorskip("sphinx_gallery", reason='pip install ".[docs]"')
pytest.importorskip("matplotlib", reason='pip install ".[study]"')

import matplotlib as mpl
import matplotlib.pyplot as plt
from sphinx_gallery.gen_gallery import DEFAULT_GALLERY_CONF
from sphinx_gallery.notebook import jupyter_notebook, save_notebook
from sphinx_gallery.py_source_parser import split_code_and_text_blocks

from site_extensions.gallery import ORDER

FOLDER = ROOT / "examples" / "gallery"


def test_the_gallery_has_every_example():
    assert {path.stem for path in FOLDER.glob("*.py")} == set(ORDER)


@pytest.mark.parametrize("name", ORDER)
def test_an_example_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Without a warning, with an output, and with a figure for the thumbnail."""
    monkeypatch.chdir(tmp_path)
    path = FOLDER / f"{name}.py"
    with mpl.rc_context({"backend": "agg"}), warnings.catch_warnings():
        warnings.simplefilter("error")
        monkeypatch.setattr(plt, "show", lambda: None)
        try:
            exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), {"__name__": "__main__"})
            assert plt.get_fignums()
        finally:
            plt.close("all")
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("name", ORDER)
def test_an_example_becomes_a_notebook(name: str, tmp_path: Path):
    """With the same code as the script, in cells, and text between them."""
    path = FOLDER / f"{name}.py"
    _, parts = split_code_and_text_blocks(str(path))
    settings = {**DEFAULT_GALLERY_CONF, "gallery_dirs": ["gallery"], "src_dir": str(tmp_path)}
    save_notebook(jupyter_notebook(parts, settings, str(tmp_path)), tmp_path / f"{name}.ipynb")
    cells = json.loads((tmp_path / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = [line for cell in cells if cell["cell_type"] == "code" for line in "".join(cell["source"]).splitlines()]
    script = [line for part in parts if part[0] == "code" for line in part[1].splitlines()]
    assert [line for line in code if line.strip()] == [line for line in script if line.strip()]
    assert sum(cell["cell_type"] == "markdown" for cell in cells) >= 3
