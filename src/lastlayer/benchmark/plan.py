"""What a run is asked for, checked before anything is timed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lastlayer.benchmark.operations import Operation, all_operations
from lastlayer.benchmark.peers import PEERS
from lastlayer.functions import show_config

Shape = tuple[int, int]

#: Rows × classes: from two classes to a language model's vocabulary.
SHAPES: tuple[Shape, ...] = ((65536, 2), (65536, 10), (65536, 100), (8192, 1000), (1024, 32000), (256, 128256))
QUICK_SHAPES: tuple[Shape, ...] = ((256, 10), (64, 100))
#: What no memory holds, and what the sizes of arrays can still be written in.
MOST_SCORES = 10**13
DTYPES = ("float32", "float64")
SECONDS, QUICK_SECONDS = 2.0, 0.02


@dataclass(frozen=True)
class Plan:
    """The shapes, operations and peers of a run, and how long and with how many threads each is timed."""

    shapes: tuple[Shape, ...]
    operations: tuple[Operation, ...]
    peers: tuple[str, ...]
    dtype: np.dtype
    threads: int
    #: The time for all contenders of one shape and operation together.
    seconds: float
    #: Rows of each kind on which the errors are measured; a power of two, so that a mean over them rounds nothing.
    rows: int

    @classmethod
    def ask(
        cls,
        *,
        shapes: Sequence[str] | None = None,
        operations: Sequence[str] | None = None,
        peers: Sequence[str] | None = None,
        dtype: str = "float32",
        threads: int | None = None,
        seconds: float | None = None,
        quick: bool = False,
    ) -> Plan:
        """A plan from what a user wrote; None means everything.

        Raises:
            ValueError: a shape, name, dtype or number that no run can have.
        """
        known = all_operations()
        if dtype not in DTYPES:
            raise ValueError(f"The dtype is {dtype!r}; choose {' or '.join(DTYPES)}.")
        threads = show_config()["threads"] if threads is None else threads
        if threads < 1:
            raise ValueError(f"The number of threads is {threads}; give at least 1.")
        seconds = (QUICK_SECONDS if quick else SECONDS) if seconds is None else seconds
        if not 0 < seconds < float("inf"):
            raise ValueError(f"The seconds are {seconds}; give a positive number.")
        for what, given in (("shapes", shapes), ("operations", operations)):
            if given is not None and not given:
                raise ValueError(f"No {what} are given; leave the option out for all.")
        asked = known if operations is None else _chosen(operations, known, "operation")
        defaults = QUICK_SHAPES if quick else SHAPES
        return cls(
            shapes=defaults if shapes is None else tuple(map(_shape, shapes)),
            operations=tuple(known[name] for name in asked),
            peers=tuple(PEERS if peers is None else _chosen(peers, PEERS, "peer")),
            dtype=np.dtype(dtype),
            threads=threads,
            seconds=seconds,
            rows=8 if quick else 32,
        )


def _shape(text: str) -> Shape:
    """A shape such as 65536x10."""
    match = re.fullmatch(r"\s*(\d+)\s*[x×X*]\s*(\d+)\s*", text)
    rows, classes = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 0 < rows * classes <= MOST_SCORES:
        raise ValueError(
            f"The shape {text!r} is not rows x classes, both at least 1 and with at most {MOST_SCORES} scores; "
            "write it as in 65536x10."
        )
    return rows, classes


def _chosen(names: Sequence[str], known: Iterable[str], what: str) -> tuple[str, ...]:
    """The names, once each, all of them known."""
    known = tuple(known)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}."
            raise ValueError(f"There is no {what} {name!r}; {hint}")
    return tuple(dict.fromkeys(names))
