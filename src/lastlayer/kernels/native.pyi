"""The compiled row kernels; see native/module.cpp. A test compares names and arguments with the extension's own."""

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
def place_columns(columns: Any, rows: Any) -> None: ...
def pull_back(slopes: Any, cotangents: Any, out: Any) -> None: ...
def pull_back_logarithms(logarithms: Any, cotangents: Any, out: Any) -> None: ...
def row_sums(
    scores: Any,
    places: Any,
    numbers: Any,
    argmax: Any,
    wants_distances: bool = False,
    class_weight: Any | None = None,
    temperature: float = 1.0,
    softcap: float = 0.0,
    is_bfloat16: bool = False,
) -> None: ...
def row_slopes(
    scores: Any,
    places: Any,
    numbers: Any,
    is_live: Any,
    class_weight: Any | None = None,
    temperature: float = 1.0,
    softcap: float = 0.0,
    is_bfloat16: bool = False,
) -> None: ...
def large_buffer(size: int) -> Any: ...
def kept_bytes() -> int: ...
def kept_limit() -> int: ...
def set_nontemporal_limit(bytes: int) -> int: ...
def num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def borrow_threads() -> bool: ...
def granted_processors(root: str, membership: str) -> int: ...
