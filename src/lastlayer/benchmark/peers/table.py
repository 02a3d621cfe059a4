"""Which peers there are, and which of them this installation has."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable
from typing import Any

#: Name → the module that knows the library. Each has a `PEER`.
PEERS: dict[str, str] = {
    name: f"lastlayer.benchmark.peers.{name}" for name in ("torch", "scipy", "onnxruntime", "jax", "entmax")
}


def load_peers(names: Iterable[str]) -> tuple[list[Any], list[str]]:
    """The `Peer` of each name, and one line for each that is left out."""
    peers, left_out = [], []
    for name in names:
        try:
            # What a library has to say about its own imports is no matter of a benchmark.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                peers.append(importlib.import_module(PEERS[name]).PEER)
        except ModuleNotFoundError as error:
            missing = (error.name or name).partition(".")[0]
            why = "is not installed" if missing == name else f"needs {missing}, which is not installed"
            left_out.append(f"{name} {why}: left out; pip install {missing}")
        except (ImportError, OSError) as error:
            left_out.append(f"{name} cannot be loaded ({' '.join(str(error).split())}): left out")
    return peers, left_out
