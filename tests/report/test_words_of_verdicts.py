"""The page that explains a report has every word that report, terminal and JSON have for a verdict."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lastlayer.report.terminal_table import _NARROW
from lastlayer.report.verdicts import ORDER
from lastlayer.study.statistics.comparisons import Verdict

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "read-the-report.md"
WORDS = {*ORDER, *_NARROW.values(), *(verdict.value for verdict in Verdict), "reference", "baseline", "failed"}


@pytest.mark.parametrize("word", sorted(WORDS))
def test_it_is_explained(word: str) -> None:
    section = re.search(r"## The verdicts\n(.*?)\n## ", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert section is not None
    assert f"*{word}*" in section[1]
