"""`lastlayer config`: what this installation computes with."""

from __future__ import annotations

import click
from rich.table import Table
from rich.text import Text

from lastlayer.cli.terminal import terminal
from lastlayer.functions import show_config


@click.command
def config() -> None:
    """Show what this installation computes with.

    The versions, the compiled kernels (or why there are none), the threads, and the backend of every array library.
    """
    facts = show_config()
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column()
    for name, value in facts.items():
        if name != "backends":
            rows.add_row(name.replace("_", " "), Text("none" if value is None else str(value)))
    for entry in facts["backends"]:
        found = f" [{entry['needs']}]" if entry["needs"] else ""
        rows.add_row(entry["name"], Text(f"{entry['arrays']}: {entry['computes']}{found}"))
    terminal().print(rows)
