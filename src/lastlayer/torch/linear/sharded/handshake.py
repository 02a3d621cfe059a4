"""The first exchange of a call: one gather of a kibibyte, after which every process knows that all make the same call.

Without it a process with another shape or option would make another sequence of collectives, and all would wait for a timeout.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from itertools import accumulate
from typing import NamedTuple

import torch

from lastlayer.torch.linear.sharded.prints import SKETCHES, Sketch, is_near
from lastlayer.torch.linear.sharded.wire import Wire

Tensor = torch.Tensor

#: Bytes of a process's message: three integers and a flag, the digest of the whole text, a sketch of the inputs, and the text as far
#: as it fits.
SIZE = 1024
_HEADER = struct.Struct(f"<qqq?32s{2 * SKETCHES}f")
_ROOM = SIZE - _HEADER.size
#: How errors begin that are the same on every process.
_DIFFERS, _STOPS = "the processes of the group do not make the same call", "every process of the group stops in"
_NO_SKETCH = Sketch((0.0,) * (2 * SKETCHES), 0.0)
_LARGEST = 3e38


class Agreement(NamedTuple):
    """What all processes know of each other after the handshake."""

    #: Rows of a block: the fewest that any process proposed.
    height: int
    #: Classes of each process, by rank.
    sizes: tuple[int, ...]

    def offset(self, rank: int) -> int:
        """The first class of a process."""
        return sum(self.sizes[:rank])

    def within(self, classes: int) -> Agreement:
        """The same without the classes from `classes` on, which do not exist."""
        ends = accumulate(self.sizes)
        return self._replace(
            sizes=tuple(max(0, min(size, classes - end + size)) for size, end in zip(self.sizes, ends, strict=True))
        )


class Message(NamedTuple):
    """What a process says: its proposal, its number of classes, and the text that must be the same everywhere."""

    height: int
    classes: int
    #: What `mark_of` makes of the values of its slice; 0: not compared.
    mark: int
    is_error: bool
    digest: bytes
    sketch: tuple[float, ...]
    text: str


def agree(
    wire: Wire,
    device: torch.device,
    facts: Mapping[str, object],
    height: int,
    classes: int,
    sketch: Sketch = _NO_SKETCH,
    mark: int = 0,
) -> Agreement:
    """Tell all processes the facts of this call and a sketch of its inputs, and compare.

    Raises:
        ValueError: the same on every process, naming what differs; or a process has refused its arguments.
    """
    text = "\n".join(f"{k}={v}" for k, v in facts.items())
    said = _exchange(wire, device, height, classes, False, text, sketch, mark)
    refused = [(rank, message.text) for rank, message in zip(wire.ranks, said, strict=True) if message.is_error]
    if refused:
        rank, words = refused[0]
        if words.startswith((_STOPS, _DIFFERS)):
            # Processes of another dimension of a mesh have found it, and say it to these.
            raise ValueError(words)
        raise ValueError(f"{_STOPS} {wire.call}, for one refused its arguments: rank {rank}: {words}")
    differences = _differences(wire, said, sketch.tolerance)
    if differences:
        raise ValueError(
            f"{_DIFFERS} of {wire.call}: {differences}. Every process must give the same rows, targets, options and dtypes; "
            f"{wire.sliced}.{wire.remedy}"
        )
    _check_marks(wire, said)
    return Agreement(min(message.height for message in said), tuple(message.classes for message in said))


def refuse(wire: Wire, device: torch.device, error: Exception) -> None:
    """Tell the other processes that this one has refused its arguments, so that none waits for it."""
    words = str(error)
    is_shared = words.startswith((_STOPS, _DIFFERS))
    _exchange(wire, device, 1, 0, True, words if is_shared else f"{type(error).__name__}: {words}")


def _exchange(
    wire: Wire,
    device: torch.device,
    height: int,
    classes: int,
    is_error: bool,
    text: str,
    sketch: Sketch = _NO_SKETCH,
    mark: int = 0,
) -> list[Message]:
    encoded = text.encode()
    # struct refuses a number that float32 cannot hold.
    numbers = [x if abs(x) < _LARGEST else float("nan") for x in sketch.numbers]
    header = _HEADER.pack(height, classes, mark, is_error, hashlib.sha256(encoded).digest(), *numbers)
    sent = torch.frombuffer(bytearray((header + encoded[:_ROOM]).ljust(SIZE, b"\0")), dtype=torch.uint8)
    return [_read(bytes(row)) for row in wire.gather(sent.to(device)).tolist()]


def _read(received: bytes) -> Message:
    height, classes, mark, is_error, digest, *sketch = _HEADER.unpack_from(received)
    text = received[_HEADER.size :].rstrip(b"\0").decode(errors="ignore")
    return Message(height, classes, mark, is_error, digest, tuple(sketch), text)


def _check_marks(wire: Wire, said: list[Message]) -> None:
    """Raise ValueError if two processes hold the same values as their slices."""
    marks = [message.mark for message in said]
    same = [str(rank) for rank, mark in zip(wire.ranks, marks, strict=True) if mark and marks.count(mark) > 1]
    if same:
        raise ValueError(
            f"the slices of the weight on ranks {', '.join(same)} have the same values. Does DistributedDataParallel or fully_shard work "
            "over the processes of group=? They take the slices for copies of one weight: wrap over other processes (another "
            "dimension of a mesh), or leave the head out, by DistributedDataParallel._set_params_and_buffers_to_ignore_for_model or "
            "fully_shard(ignored_params=). Or were the slices drawn with the same seed? Let it depend on the rank."
        )


def _differences(wire: Wire, said: list[Message], tolerance: float) -> str:
    """Each fact that is not the same everywhere, with what every rank has; empty if all is."""
    found = []
    if len({message.digest for message in said}) > 1:
        each = [dict(line.partition("=")[::2] for line in message.text.splitlines()) for message in said]
        every = {name: None for facts in each for name in facts}
        names = [name for name in every if len({facts.get(name) for facts in each}) > 1]
        found = [
            f"{name} ({', '.join(f'rank {rank}: {facts.get(name)}' for rank, facts in zip(wire.ranks, each, strict=True))})"
            for name in names
        ] or ["their descriptions differ where they are too long to be sent"]
    pairs = zip(wire.ranks, said, strict=True)
    others = [str(rank) for rank, message in pairs if not is_near(said[0].sketch, message.sketch, tolerance)]
    if others and not found:
        found = [f"input (its values on rank {', '.join(others)} are not those on rank {wire.ranks[0]})"]
    return "; ".join(found)
