"""The run: for every shape and operation, first whether each contender is right, then how fast it is."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from typing import Any

from lastlayer.benchmark.facts import facts
from lastlayer.benchmark.floors import Floors, floors
from lastlayer.benchmark.operations import Operation
from lastlayer.benchmark.peer import Call, Peer
from lastlayer.benchmark.peers.ours import OURS
from lastlayer.benchmark.plan import Plan
from lastlayer.benchmark.problem import Problem, random_problem
from lastlayer.benchmark.record import Cell, LargestError, Record
from lastlayer.benchmark.timing import measure
from lastlayer.benchmark.truth import Truth

Progress = Callable[[int, int, str], Any]


def run_benchmark(
    plan: Plan, peers: Iterable[Peer], left_out: Sequence[str] = (), progress: Progress = lambda *_: None
) -> Record:
    """Time and judge ourselves and the peers; `progress` is called with (done, total, what)."""
    contenders = [OURS, *peers]
    total = len(plan.shapes) * len(plan.operations)
    cells: list[Cell] = []
    lines = list(left_out)
    with ExitStack() as stack:
        for contender in contenders:
            stack.enter_context(contender.session(plan.threads, plan.dtype))
        floor = stack.enter_context(floors(plan.threads))
        progress(0, total, "errors")
        errors = _errors(plan, contenders, lines)
        for shape in plan.shapes:
            for mapping, operations in groupby(plan.operations, key=lambda operation: operation.mapping):
                problem = random_problem(shape, mapping, plan.dtype)
                truth = Truth(mapping, problem)
                for operation in operations:
                    progress(len(cells), total, f"{shape[0]}×{shape[1]} {operation.name}")
                    cells.append(_cell(operation, contenders, problem, truth, floor, plan.seconds))
    return Record(facts(plan, contenders), tuple(lines), tuple(cells), tuple(errors))


def _cell(
    operation: Operation, contenders: list[Peer], problem: Problem, truth: Truth, floor: Floors, seconds: float
) -> Cell:
    """One shape and operation."""
    right: dict[str, Callable[[], Any]] = {}
    refused: dict[str, str] = {}
    for contender in contenders:
        call = contender.prepare(operation, problem)
        if call is None:
            continue
        fault = _fault(call, operation, problem, truth)
        if fault is None:
            right[contender.name] = call.run
        else:
            refused[contender.name] = fault
    ways = floor.calls(operation.floor, problem)
    for way in ways.values():
        way()
    timings = measure({**ways, **right}, seconds)
    rows, classes = problem.scores.shape
    return Cell(
        (rows, classes),
        operation.name,
        operation.floor,
        floors={name: timings[name] for name in ways},
        timings={name: timings[name] for name in right},
        refused=refused,
    )


def _fault(call: Call, operation: Operation, problem: Problem, truth: Truth) -> str | None:
    """What is wrong with a contender's result; an exception is a wrong result too."""
    # What is never written must not be judged by what another contender wrote.
    problem.out.fill(float("nan"))
    try:
        result = call.read(call.run())
    except MemoryError:
        raise
    except Exception as error:
        return f"it raises {type(error).__name__}: {' '.join(str(error).split())}"
    return truth.fault(operation, result)


def _errors(plan: Plan, contenders: list[Peer], lines: list[str]) -> list[LargestError]:
    """The errors of each thing computed; a line where the packages that tell the truth are missing."""
    try:
        largest_errors: Callable[..., Iterator[LargestError]] = importlib.import_module(
            "lastlayer.benchmark.errors"
        ).largest_errors
    except ModuleNotFoundError as error:
        lines.append(f"errors are not measured, which needs {error.name}: left out; pip install {error.name}")
        return []
    once = {operation.computes: operation for operation in plan.operations}
    return [
        entry for operation in once.values() for entry in largest_errors(operation, contenders, plan.dtype, plan.rows)
    ]
