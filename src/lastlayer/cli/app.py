"""The table of commands, and what the command line does with an error."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lastlayer.cli.bench import bench
from lastlayer.cli.compare import compare
from lastlayer.cli.config import config
from lastlayer.cli.errors import CommandError, show_error
from lastlayer.cli.explain import explain
from lastlayer.cli.negative_numbers import CommandWithScores
from lastlayer.cli.study import study
from lastlayer.cli.terminal import clean_tracebacks_and_warnings, say
from lastlayer.functions import show_config

# Typer carries its own click from 0.26 on; the base of BadParameter is the usage error of either.
UsageError: Any = typer.BadParameter.__base__


class OneSentenceErrors(TyperGroup):
    """Every expected error is one sentence on stderr and exit code 2; a bug of ours keeps its traceback."""

    def main(self, *args: Any, standalone_mode: bool = True, **options: Any) -> Any:
        """Run the command line; in standalone mode leave through `sys.exit`."""
        options["standalone_mode"] = False
        try:
            code = super().main(*args, **options)
        except CommandError as error:
            code = show_error(str(error))
        except UsageError as error:
            code = self._show_usage_error(error)
        except typer.Abort:
            code = show_error("stopped.", code=130)
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code

    def _show_usage_error(self, error: Any) -> int:
        if type(error).__name__ == "NoArgsIsHelpError":
            say(error.format_message())
            return 0
        command = error.ctx.command_path if error.ctx is not None else "lastlayer"
        message = error.format_message().strip()
        end = "" if message.endswith((".", "?", "!", ")")) else "."
        return show_error(f"{message}{end} See: {command} --help")


def _version(asked: bool) -> None:
    if asked:
        say(f"lastlayer {show_config()['version']}")
        raise typer.Exit


app = typer.Typer(
    name="lastlayer",
    cls=OneSentenceErrors,
    help="The last layer of a classifier: see what each choice does, and choose one with evidence from your own data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """What stands before the command."""


app.command(cls=CommandWithScores)(compare)
app.command()(explain)
app.command()(study)
app.command()(bench)
app.command()(config)


def main() -> None:
    """The entry point of `lastlayer`."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show σ or − shows a question mark instead of a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    clean_tracebacks_and_warnings()
    app(prog_name="lastlayer")
