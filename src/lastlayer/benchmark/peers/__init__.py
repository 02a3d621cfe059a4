"""The libraries that are timed with us: one file each, and the table of them. A library is imported in its own file alone."""

from lastlayer.benchmark.peers.table import PEERS, load_peers

__all__ = ["PEERS", "load_peers"]
