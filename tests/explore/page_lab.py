"""The lab's states, and what the command says of each."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner
from page_rows import ON_PAGE

from lastlayer.cli import app

ALL = ",".join(ON_PAGE)
#: Hash of the page → arguments of the command.
STATES = {
    f"s=1,0.5&m={ALL}": ["1", "0.5", "--label", "1"],
    f"s=1,2&y=0&m={ALL}": ["1", "2", "--label", "0"],
    f"s=10,20&y=0&m={ALL}": ["10", "20", "--label", "0"],
    f"s=2,-1,0.5&y=1&m={ALL}": ["2", "-1", "0.5", "--label", "1"],
    f"s=1,-1&y=1&m={ALL}": ["1", "-1", "--label", "1"],
    f"s=-1,-2&y=1&m={ALL}": ["-1", "-2", "--label", "1"],
    f"s=4,3,2&y=2&m={ALL}": ["4", "3", "2", "--label", "2"],
    f"s=1000,0&y=1&m={ALL}": ["1000", "0", "--label", "1"],
    f"s=3&y=0&m={ALL}": ["3", "--label", "0"],
    f"s=0,0&y=0&m={ALL}": ["0", "0", "--label", "0"],
    f"s=0.3,4.1,-2,1.5,0,0.7,-1,5.2,2,1.1&y=4&m={ALL}": [
        *("0.3", "4.1", "-2", "1.5", "0", "0.7", "-1", "5.2", "2", "1.1"),
        *("--label", "4"),
    ],
    "s=2,0.5,1&y=1&t=0.5&cap=3&m=softmax,sparsemax,ratio": [
        *("2", "0.5", "1", "--label", "1", "--temperature", "0.5", "--softcap", "3"),
        *("--mappings", "softmax,sparsemax,ratio"),
    ],
    "s=2,0.5,1&y=1&a=1.3&o=4&m=entmax,taylor": [
        *("2", "0.5", "1", "--label", "1", "--mappings", "entmax:alpha=1.3,taylor:order=4"),
    ],
}


def compared(arguments: list[str]) -> dict[str, Any]:
    """What the command says, as JSON."""
    result = CliRunner().invoke(app, ["compare", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def by_name(answer: dict[str, Any]) -> dict[str, Any]:
    """The mappings of an answer, whatever their order."""
    return {mapping["name"]: mapping for mapping in answer["mappings"]}
