"""Every mapping timed with its peers in one run: ratios to each peer and to the physical floor, errors in ULP."""

from lastlayer.benchmark.peers import PEERS, load_peers
from lastlayer.benchmark.plan import Plan
from lastlayer.benchmark.record import Cell, LargestError, Record, Timing
from lastlayer.benchmark.run import run_benchmark

__all__ = ["PEERS", "Cell", "LargestError", "Plan", "Record", "Timing", "load_peers", "run_benchmark"]
