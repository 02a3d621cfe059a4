"""The compiled row kernels; see native/module.cpp."""

from typing import Any

FLOAT32_MAPPINGS: tuple[str, ...]
FLOAT64_MAPPINGS: tuple[str, ...]

def instruction_set() -> str: ...
def evaluate(scores: Any, out: Any, quantity: int, mapping: int) -> None: ...
def label_loss(
    scores: Any,
    labels: Any,
    losses: Any,
    gradient: Any | None,
    class_weight: Any | None,
    row_weight: Any | None,
    ignore_index: int,
    label_smoothing: float,
    z_loss: float,
    temperature: float,
    is_mean: bool,
    mapping: int,
) -> tuple[float, float]: ...
def num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
