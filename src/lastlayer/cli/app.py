"""The table of commands, and what the command line does with an error."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import click

from lastlayer.cli.bench import bench
from lastlayer.cli.compare import compare
from lastlayer.cli.config import config
from lastlayer.cli.errors import CommandError, show_error
from lastlayer.cli.evaluate import evaluate
from lastlayer.cli.explain import explain
from lastlayer.cli.explore import explore
from lastlayer.cli.standard_output import OutputError, check_stdout, leave_stdout
from lastlayer.cli.study import study
from lastlayer.cli.terminal import clean_tracebacks_and_warnings, say, spell_what_cannot_be_shown
from lastlayer.version import __version__


class OneSentenceErrors(click.Group):
    """Every expected error is one sentence on stderr and exit code 2; a bug of ours keeps its traceback."""

    def main(self, *args: Any, standalone_mode: bool = True, **options: Any) -> Any:
        """Run the command line; in standalone mode leave through `sys.exit`."""
        options["standalone_mode"] = False
        try:
            code = super().main(*args, **options)
            # A small output is still in the buffer.
            if sys.stdout is not None:
                sys.stdout.flush()
        except CommandError as error:
            code = show_error(str(error))
        except click.ClickException as error:
            code = _show_usage_error(error)
        except click.Abort:
            code = show_error("stopped.", code=130)
        except OutputError as error:
            code = _show_output_error(error.reason)
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table below, not of the alphabet: the first is the one to begin with."""
        return list(self.commands)


def _show_usage_error(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    command = "lastlayer" if context is None else context.command_path
    message = error.format_message().strip()
    end = "" if message.endswith((".", "?", "!", ")")) else "."
    return show_error(f"{message}{end} See: {command} --help")


def _show_output_error(error: OSError) -> int:
    """One sentence and exit code 2, as 1 is an answer of `evaluate`; no sentence where the reader of a pipe has gone, as after `| head`."""
    leave_stdout()
    if not isinstance(error, BrokenPipeError):
        # Standard error may be on the same full disk.
        with suppress(OSError):
            show_error(f"The output cannot be written ({error.strerror or error}); free some room on the disk.")
    return 2


#: The lines after \b keep their line breaks in the help.
EPILOG = """
Words such as logit, log loss, calibration and Holm are explained in docs/glossary.md.

\b
Completion of commands, options and names:
bash: eval "$(_LASTLAYER_COMPLETE=bash_source lastlayer)"
zsh:  eval "$(_LASTLAYER_COMPLETE=zsh_source lastlayer)"
fish: _LASTLAYER_COMPLETE=fish_source lastlayer | source
"""


@click.group(
    name="lastlayer",
    cls=OneSentenceErrors,
    # An empty command line is a request for help, not an error.
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.version_option(__version__, message="lastlayer %(version)s")
@click.pass_context
def app(ctx: click.Context) -> None:
    """The last layer of a classifier: scores in, probabilities and a loss out.

    See what each choice of last layer does, and choose one with evidence from your own data.
    """
    if ctx.invoked_subcommand is None:
        say(ctx.get_help())


for command in (compare, explore, explain, study, evaluate, bench, config):
    app.add_command(command)


def main() -> None:
    """The entry point of `lastlayer`."""
    spell_what_cannot_be_shown()
    check_stdout()
    clean_tracebacks_and_warnings()
    app(prog_name="lastlayer")
