"""The command, run in this process (fast) or as a user runs it (real)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lastlayer.cli import app


@dataclass(frozen=True)
class Run:
    """What a run of the command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The output as JSON, which must be all of it."""
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))

    def error(self) -> str:
        """The sentence of a run that failed as it should: exit code 2, one line, nothing on stdout, no traceback."""
        assert self.code == 2, self
        assert self.out == ""
        assert "Traceback" not in self.err
        assert self.err.startswith("lastlayer: error: ")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("lastlayer: error: ").rstrip("\n")


@pytest.fixture
def lastlayer() -> Callable[..., Run]:
    """`lastlayer("compare", "1", "0.5", width=80)` in this process."""

    def run(*arguments: str, width: int = 80) -> Run:
        environment = {"COLUMNS": str(width), "NO_COLOR": "1"}
        # click's runner takes 80 columns for help, whatever COLUMNS says.
        result = CliRunner().invoke(app, list(arguments), env=environment, terminal_width=width)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Run(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def real_lastlayer(tmp_path: Path) -> Callable[..., Run]:
    """The installed command in a process and folder of its own."""

    def run(*arguments: str, **environment: str) -> Run:
        command = Path(sys.executable).with_name("lastlayer")
        done = subprocess.run(
            [str(command), *arguments],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "80", **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    return run
