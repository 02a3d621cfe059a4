"""`lastlayer bench`: every mapping timed beside its peers, with ratios, floors and errors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lastlayer.benchmark import Plan, Record, load_peers, run_benchmark
from lastlayer.benchmark.terminal import TerminalBenchmark
from lastlayer.cli.errors import CommandError, expected
from lastlayer.cli.paths import expanded
from lastlayer.cli.progress_bar import ProgressBar
from lastlayer.cli.terminal import say, say_json, terminal


def bench(
    shapes: Annotated[
        str | None,
        typer.Option(
            metavar="NxK,…", help="Rows x classes, as in 65536x10,8192x1000.", show_default="2 to 128256 classes"
        ),
    ] = None,
    operations: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Only these, as in softmax,cross_entropy_grad.", show_default="all"),
    ] = None,
    peers: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Only beside these, as in torch,scipy; '' for none.", show_default="all"),
    ] = None,
    dtype: Annotated[str, typer.Option(metavar="DTYPE", help="float32 or float64.")] = "float32",
    quick: Annotated[bool, typer.Option("--quick", help="Small shapes and short runs, to see that it works.")] = False,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="For each shape and operation.", show_default="2")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="For us and every peer.", show_default="as in lastlayer config")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record instead of tables.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Also record it.", callback=expanded)] = None,
) -> None:
    """Time every mapping beside torch, SciPy, ONNX Runtime, JAX and entmax, as far as they are installed.

    Example: lastlayer bench --operations softmax,cross_entropy_grad --shapes 65536x10
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
