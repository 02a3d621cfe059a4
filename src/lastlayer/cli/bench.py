"""`lastlayer bench`: every mapping timed next to its peers, with ratios, floors and errors."""

from __future__ import annotations

from pathlib import Path

import click

from lastlayer.benchmark import PEERS, Plan, Record, load_peers, run_benchmark
from lastlayer.benchmark.operations import all_operations
from lastlayer.benchmark.plan import DTYPES
from lastlayer.benchmark.terminal import TerminalBenchmark
from lastlayer.cli.completion import complete_list
from lastlayer.cli.errors import CommandError, expected
from lastlayer.cli.paths import PATH
from lastlayer.cli.progress_bar import ProgressBar
from lastlayer.cli.terminal import say, say_json, terminal


@click.command
@click.option(
    "--shapes", metavar="NxK,…", help="Rows x classes, as in 65536x10,8192x1000.  [default: 2 to 128256 classes]"
)
@click.option(
    "--operations",
    metavar="A,B",
    shell_complete=complete_list(all_operations()),
    help="Time only these, as in softmax,cross_entropy_grad.  [default: all]",
)
@click.option(
    "--peers",
    metavar="A,B",
    shell_complete=complete_list(PEERS),
    help="Compare with these only, as in torch,scipy; '' for none.  [default: all]",
)
@click.option(
    "--dtype",
    default="float32",
    show_default=True,
    metavar="DTYPE",
    shell_complete=complete_list(DTYPES),
    help="float32 or float64.",
)
@click.option("--quick", is_flag=True, help="Use small shapes and short runs, to see that it works.")
@click.option("--seconds", type=float, metavar="S", help="Time spent per shape and operation.  [default: 2]")
@click.option(
    "--threads", type=int, metavar="N", help="Threads of ours and of each peer.  [default: as in lastlayer config]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the record instead of tables.")
@click.option("--out", type=PATH, metavar="FILE.json", help="Also write the record to this file.")
def bench(
    shapes: str | None,
    operations: str | None,
    peers: str | None,
    dtype: str,
    quick: bool,
    seconds: float | None,
    threads: int | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Time the mappings next to other libraries.

    The peers are torch, SciPy, ONNX Runtime, JAX and entmax, as far as they are installed.
    Every result is checked before it is timed.

    Example: lastlayer bench --operations softmax --quick
    """
    with expected(ValueError):
        plan = Plan.ask(
            shapes=_split(shapes),
            operations=_split(operations),
            peers=_split(peers),
            dtype=dtype,
            threads=threads,
            seconds=seconds,
            quick=quick,
        )
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise CommandError(f"The record cannot be written to {out}; give a file in a folder that exists.")
    found, left_out = load_peers(plan.peers)
    with expected(MemoryError), ProgressBar() as progress:
        record = run_benchmark(plan, found, left_out, progress)
    # Shown first: a disk that is full by now must not cost the run.
    _show(record, as_json)
    if out is not None:
        with expected(OSError):
            record.save(out)
        say(f"record: {out}", err=as_json)


def _show(record: Record, as_json: bool) -> None:
    if as_json:
        for line in record.left_out:
            say(line, err=True)
        say_json(record.to_json(), end="")
    else:
        terminal().print(TerminalBenchmark(record))


def _split(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]
