"""Contenders timed in turns.

Whatever else runs on a machine only adds time, and adds it to any of the contenders, so a contender's time is the shortest
of many short measurements spread over the whole run; the median is recorded too and says how quiet the machine was.
Taking turns spreads a slow minute over all. Some libraries' threads go on spinning for up to 50 ms after their work and slow
down whoever comes next, and the caches are full of another's results: so before a turn all threads rest, and its first
calls are not measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from lastlayer.benchmark.record import Timing

#: Seconds: the rest before a turn, the length of a turn, and the length of a call that outlasts every disturbance, so
#: that even the first one of a turn counts.
REST, TURN, LONG = 0.06, 0.01, 0.1
#: Calls at the start of a turn that are not measured.
WARM_UP = 2


def measure(calls: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, Timing]:
    """Time every call for about this many seconds in all. Each has run before, and each gets at least one turn."""
    samples: dict[str, list[float]] = {name: [] for name in calls}
    rest, turn = min(REST, seconds / 25), min(TURN, seconds / 100)
    end = time.perf_counter() + seconds
    while not all(samples.values()) or time.perf_counter() < end:
        for name, call in calls.items():
            time.sleep(rest)
            samples[name] += _turn(call, turn)
    return {name: Timing(min(taken), median(taken), len(taken)) for name, taken in samples.items()}


def _turn(call: Callable[[], Any], turn: float) -> list[float]:
    """The times of the calls of one turn."""
    for _ in range(WARM_UP):
        seconds = _seconds(call)
        if seconds > LONG:
            return [seconds]
    taken = [_seconds(call)]
    while sum(taken) < turn:
        taken.append(_seconds(call))
    return taken


def _seconds(call: Callable[[], Any]) -> float:
    """One call; its result lives until the clock has stopped."""
    begin = time.perf_counter()
    result = call()
    end = time.perf_counter()
    del result
    return end - begin
