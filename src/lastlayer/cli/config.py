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

    The versions, the compiled kernels (or why there are none), the threads, and which implementation serves what.
    """
    facts = show_config()
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column()
    for name, value in facts.items():
        if name != "implementations":
            rows.add_row(name.replace("_", " "), Text("none" if value is None else str(value)))
    for place, entry in enumerate(facts["implementations"]):
        rows.add_row("served by" if place == 0 else "then by", Text(f"{entry['name']}: {entry['serves']}"))
    terminal().print(rows)
