"""The compiled row kernels; see native/module.cpp."""

from typing import Any

MAPPINGS: tuple[str, ...]

def instruction_set() -> str: ...
def evaluate(
    scores: Any,
    out: Any,
    quantity: int,
    mapping: int,
    parameter: float = 0.0,
    row_parameters: Any | None = None,
    is_bfloat16: bool = False,
) -> None: ...
def loss(
    scores: Any,
    labels: Any | None,
    soft: Any | None,
    soft32: Any | None,
    losses: Any,
    gradient: Any | None,
    class_weight: Any | None,
    row_weight: Any | None,
    ignore_index: int,
    label_smoothing: float,
    z_loss: float,
    temperature: float,
    softcap: float,
    gradient_scale: float | None,
    mapping: int,
    parameter: float = 0.0,
    row_parameters: Any | None = None,
    is_bfloat16: bool = False,
    refuses_bad_labels: bool = False,
) -> tuple[float, float] | None: ...
def set_stream_limit(bytes: int) -> int: ...
def num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
