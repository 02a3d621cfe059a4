"""The workflow that publishes the site builds what `make site` builds."""

from __future__ import annotations

import re

import pytest
from pages import ROOT

yaml = pytest.importorskip("yaml", reason="pip install PyYAML")

WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "docs.yml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_it_runs_a_target_that_exists_and_uploads_its_result():
    steps = WORKFLOW["jobs"]["build"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    assert commands == ["make site"]
    recipe = re.search(r"^site:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert recipe is not None
    assert "sphinx -W" in recipe[1]
    uploaded = next(step["with"]["path"] for step in steps if "upload" in step.get("uses", ""))
    assert f"docs/links.py {uploaded}\n" in recipe[1]


def test_it_publishes_only_the_main_branch():
    publish = WORKFLOW["jobs"]["publish"]
    assert "refs/heads/main" in publish["if"]
    assert publish["needs"] == "build"
    assert WORKFLOW["permissions"] == {"contents": "read"}


def test_make_check_builds_the_site():
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert recipe is not None
    assert "$(MAKE) site" in recipe[1]
