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

from lastlayer.torch.linear.sharded.wire import Wire

Tensor = torch.Tensor

#: Bytes of a process's message: two integers and a flag, the digest of the whole text, and the text as far as it fits.
_SIZE = 1024
_HEADER = struct.Struct("<qq?32s")
_ROOM = _SIZE - _HEADER.size


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
    is_error: bool
    digest: bytes
    text: str


def agree(wire: Wire, device: torch.device, facts: Mapping[str, object], height: int, classes: int) -> Agreement:
    """Tell all processes the facts of this call, and compare.

    Raises:
        ValueError: the same on every process, naming what differs; or a process has refused its arguments.
    """
    said = _exchange(wire, device, height, classes, False, "\n".join(f"{k}={v}" for k, v in facts.items()))
    refused = [f"rank {rank}: {message.text}" for rank, message in enumerate(said) if message.is_error]
    if refused:
        raise ValueError(
            f"{wire.call} stops on every process of the group, for one refused its arguments: {refused[0]}"
        )
    if len({message.digest for message in said}) > 1:
        raise ValueError(
            f"the processes of the group do not make the same call of {wire.call}: {_differences(said)}. Every process must give "
            "the same rows, targets, options and dtypes; only the classes of weight, bias, class_weight and soft targets are sliced."
        )
    return Agreement(min(message.height for message in said), tuple(message.classes for message in said))


def refuse(wire: Wire, device: torch.device, error: Exception) -> None:
    """Tell the other processes that this one has refused its arguments, so that none waits for it."""
    _exchange(wire, device, 1, 0, True, f"{type(error).__name__}: {error}")


def _exchange(wire: Wire, device: torch.device, height: int, classes: int, is_error: bool, text: str) -> list[Message]:
    encoded = text.encode()
    header = _HEADER.pack(height, classes, is_error, hashlib.sha256(encoded).digest())
    sent = torch.frombuffer(bytearray((header + encoded[:_ROOM]).ljust(_SIZE, b"\0")), dtype=torch.uint8)
    return [_read(bytes(row)) for row in wire.gather(sent.to(device)).tolist()]


def _read(received: bytes) -> Message:
    height, classes, is_error, digest = _HEADER.unpack_from(received)
    text = received[_HEADER.size :].rstrip(b"\0").decode(errors="ignore")
    return Message(height, classes, is_error, digest, text)


def _differences(said: list[Message]) -> str:
    """Each fact that is not the same everywhere, with what every rank has."""
    each = [dict(line.partition("=")[::2] for line in message.text.splitlines()) for message in said]
    names = [name for name in each[0] if len({facts.get(name) for facts in each}) > 1]
    found = [
        f"{name} ({', '.join(f'rank {rank}: {facts.get(name)}' for rank, facts in enumerate(each))})" for name in names
    ]
    return "; ".join(found) or "their descriptions differ where they are too long to be sent"
