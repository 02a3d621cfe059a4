"""`lastlayer explain sparsemax`: a mapping's card; without a name, the list of them."""

from __future__ import annotations

import click
from rich.table import Table
from rich.text import Text

from lastlayer.cli.completion import complete_mapping
from lastlayer.cli.errors import expected
from lastlayer.cli.mapping_names import plain_name
from lastlayer.cli.terminal import spelled, terminal
from lastlayer.comparison import card
from lastlayer.functions import resolve_mapping
from lastlayer.mappings import MAPPINGS


@click.command
@click.argument("mapping", required=False, metavar="[MAPPING]", shell_complete=complete_mapping)
def explain(mapping: str | None) -> None:
    """Show a mapping's equation, laws and sources.

    Also its domain, its loss and its accuracy.

    MAPPING is a name, as in sparsemax or entmax:alpha=1.3.
    Without it, all mappings are listed.

    Example: lastlayer explain sparsemax
    """
    console = terminal()
    if mapping is None:
        console.print(_list())
        console.print(
            "\nlastlayer explain NAME shows a card; lastlayer compare 1 0.5 shows what each does.",
            style="dim",
        )
        return
    with expected(ValueError, TypeError):
        facts = card(resolve_mapping(plain_name(mapping)))
    console.print(Text(facts.title, style="bold"))
    console.print(Text(spelled(facts.summary)))
    console.print()
    rows = _grid()
    for heading, lines in facts.sections:
        # A hanging bullet keeps long lines of a list apart.
        text = lines[0] if len(lines) == 1 else "\n".join(f"· {line}" for line in lines)
        rows.add_row(Text(heading, style="dim"), Text(spelled(text)))
    console.print(rows)


def _list() -> Table:
    rows = _grid()
    for record in MAPPINGS.values():
        rows.add_row(Text(record.label, style="bold"), Text(spelled(record.summary)))
    return rows


def _grid() -> Table:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True)
    rows.add_column()
    return rows
