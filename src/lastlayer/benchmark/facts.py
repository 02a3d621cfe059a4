"""The facts of a run: when, on what machine, with which versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lastlayer.benchmark.peer import Peer
from lastlayer.benchmark.plan import Plan
from lastlayer.functions import show_config


def facts(plan: Plan, contenders: Iterable[Peer]) -> dict[str, Any]:
    """What must be known to read the times, as JSON takes it."""
    config = show_config()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "system": platform.system(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "native_kernels": config["native_kernels"],
        "implementations": [{"name": b["name"], "serves": b["computes"]} for b in config["backends"]],
        "threads": plan.threads,
        "dtype": plan.dtype.name,
        "seconds_per_cell": plan.seconds,
        "versions": {
            **{contender.name: contender.version for contender in contenders},
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The model's name, as far as the system tells; with family and number where the name has none, as on virtual machines."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    found = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in reversed(lines))}
    name = found.get("model name") or platform.processor() or "unknown"
    if any(character.isdigit() for character in name) or "cpu family" not in found:
        return name
    return f"{name} (family {found['cpu family']}, model {found.get('model', '?')})"
