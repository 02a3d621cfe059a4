"""What the fuzz draws for torch: scores in any layout and dtype, labels of any integer type, options right and wrong."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

import lastlayer as ll

Tensor = torch.Tensor
#: The errors that the docstrings name; DomainError is a ValueError.
DOCUMENTED = (TypeError, ValueError, IndexError, NotImplementedError)
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
EPS = {dtype: torch.finfo(dtype).eps for dtype in DTYPES}
LABEL_DTYPES = (torch.int64, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
WIDER_LABELS = (torch.uint16, torch.uint32, torch.uint64)
MAPPINGS = ("softmax", "softmax", "softmax", "ratio", "spherical", "taylor", "softplus_ratio", "sigmoid_ratio", "stablemax",
            "softmax_plus_one", "hardmax", "sparsemax", "entmax", "entmax:alpha=1.3", "entmax:alpha=2.5")  # fmt: skip
REFUSED = object()


@dataclass
class Wrong:
    """One argument made hostile: its name, what is given, and what it means; REFUSED where only an error is right."""

    name: str = ""
    given: Any = None
    meaning: Any = REFUSED


@dataclass
class Draw:
    """The random numbers of one call, and what they gave, as a failure prints it."""

    rng: np.random.Generator
    facts: dict[str, Any] = field(default_factory=dict)

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def choose(self, values: Any) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def note(self, name: str, value: Any) -> Any:
        self.facts[name] = value
        return value


def draw_values(draw: Draw, shape: tuple[int, ...], mapping: str, dtype: torch.dtype) -> Tensor:
    """Scores in the mapping's domain, away from the ends of the number range; ties and offsets among them."""
    scale = draw.choose([0.1, 1.0, 1.0, 5.0, 30.0])
    x = torch.from_numpy(np.asarray(draw.rng.normal(size=shape) * scale))
    if draw.chance(0.2):
        x = torch.round(x)
    if draw.chance(0.2) and mapping == "softmax":
        x = x + draw.choose([100.0, -1000.0])
    if ll.resolve_mapping(mapping).domain.is_valid is not None:
        # A score near zero has a slope without bound, in which the comparison has no digits.
        x = x.abs() + 0.1
    return x.to(dtype)


def laid_out(draw: Draw, values: Tensor) -> Tensor:
    """The values with other strides, offsets, and lazy negation."""
    layouts = ["plain", "transposed", "strided", "part", "negated", "expanded", "parameter"]
    layout = draw.note("layout", draw.choose(layouts))
    if layout == "transposed" and values.ndim > 1:
        return values.transpose(0, -1).contiguous().transpose(0, -1)
    if layout == "strided" and values.ndim:
        wide = torch.full((*values.shape[:-1], 2 * values.shape[-1] + 1), torch.nan, dtype=values.dtype)
        wide[..., 1::2] = values
        return wide[..., 1::2]
    if layout == "part" and values.ndim:
        wide = torch.full((*values.shape[:-1], values.shape[-1] + 3), torch.nan, dtype=values.dtype)
        wide[..., 2:-1] = values
        return wide[..., 2:-1]
    if layout == "negated":
        return torch._neg_view(-values)
    if layout == "expanded" and values.ndim > 1 and values.shape[0]:
        return values[:1].expand(values.shape)
    return torch.nn.Parameter(values) if layout == "parameter" else values


def special_rows(draw: Draw, x: Tensor) -> tuple[Tensor, Tensor]:
    """The scores (N, K) with some rows made infinite or NaN, and which rows were left alone."""
    x, ordinary = x.clone(), torch.ones(x.shape[:-1], dtype=torch.bool)
    if x.numel() and draw.chance(0.25):
        flat, kept = x.view(-1, x.shape[-1]), ordinary.view(-1)
        for _ in range(1 + len(flat) // 4):
            row = int(draw.rng.integers(len(flat)))
            flat[row, int(draw.rng.integers(x.shape[-1]))] = draw.choose([np.inf, -np.inf, np.nan])
            kept[row] = False
        draw.note("special rows", (~kept).nonzero().flatten().tolist())
    return x, ordinary


def draw_labels(draw: Draw, rows: tuple[int, ...], classes: int, dtypes: Any) -> tuple[Tensor, int, bool]:
    """Labels, the label that is ignored, and whether one is out of range."""
    dtype = draw.note("labels", draw.choose(dtypes))
    most = min(classes, torch.iinfo(dtype).max + 1)
    labels = torch.from_numpy(np.asarray(draw.rng.integers(0, most, size=rows)))
    ignored = draw.note("ignore_index", draw.choose([-100, -100, -1, 0, 255, classes, 10**9]))
    is_ignorable = torch.iinfo(dtype).min <= ignored <= torch.iinfo(dtype).max
    if is_ignorable:
        labels = torch.where(torch.from_numpy(np.asarray(draw.rng.random(rows) < 0.25)), ignored, labels)
    wild = False
    # Not -100, which an option of another type may name as the ignored one.
    if labels.numel() and draw.chance(0.1):
        bad = draw.choose([-1, -101, classes, classes + 1, 127, 200, 255, 2**31, 2**62])
        if torch.iinfo(dtype).min <= bad <= torch.iinfo(dtype).max and bad != ignored and not 0 <= bad < classes:
            labels.view(-1)[int(draw.rng.integers(labels.numel()))] = bad
            wild = True
            draw.note("out of range", bad)
    return labels.to(dtype), ignored, wild


def draw_soft(draw: Draw, rows: tuple[int, ...], classes: int, dtype: torch.dtype) -> Tensor:
    """Distributions with zeros among them, rounded to a dtype."""
    y = draw.rng.exponential(size=(*rows, classes)) * (draw.rng.random((*rows, classes)) < 0.7) + 1e-9
    return torch.from_numpy(y / y.sum(-1, keepdims=True)).to(dtype)


def draw_options(draw: Draw, rows: tuple[int, ...], classes: int, has_sample: bool = True) -> dict[str, Any]:
    """Loss options inside their ranges, each there or not."""
    some: dict[str, Any] = {
        "weight": torch.from_numpy(draw.rng.uniform(0.1, 2, classes) * (draw.rng.random(classes) < 0.9)).float(),
        "sample_weight": torch.from_numpy(
            np.asarray(draw.rng.uniform(0, 2, rows) * (draw.rng.random(rows) < 0.8))
        ).float(),
        "label_smoothing": draw.choose([0.1, 1.0]),
        "z_loss": draw.choose([1e-3, 0.5]),
        "temperature": draw.choose([0.5, 3.0]),
        "softcap": draw.choose([5.0, 30.0]),
    }
    if not has_sample:
        del some["sample_weight"]
    return {name: value for name, value in some.items() if draw.chance(0.25)}


def draw_wrong(draw: Draw, rows: tuple[int, ...], classes: int, names: Any) -> Wrong | None:
    """One hostile argument for some of the calls."""
    if not draw.chance(0.25):
        return None
    nan, inf = float("nan"), float("inf")
    hostile: dict[str, list[tuple[Any, Any]]] = {
        "mapping": [("sotfmax", REFUSED), ("", REFUSED), (None, REFUSED), (3, REFUSED), ("entmax:alpha=0.5", REFUSED),
                    ("entmax:alpha=nan", REFUSED), ("entmax:beta=2", REFUSED), ("taylor:order=3", REFUSED), ([], REFUSED)],
        "axis": [(99, REFUSED), (-99, REFUSED), ("1", REFUSED), (1.0, REFUSED), (None, REFUSED), ((0,), REFUSED)],
        "on_domain": [("ignore", REFUSED), (None, REFUSED), (0, REFUSED)],
        "reduction": [("avg", REFUSED), (None, REFUSED), (0, REFUSED), ("Mean", REFUSED), (["mean"], REFUSED)],
        "ignore_index": [(None, REFUSED), ("x", REFUSED), (1.5, REFUSED), (np.int64(-100), -100), (2**70, REFUSED)],
        "label_smoothing": [(-0.1, REFUSED), (1.5, REFUSED), (nan, REFUSED), ("0.1", REFUSED), (None, REFUSED),
                            (np.float32(0.5), 0.5), (1j, REFUSED)],
        "z_loss": [(-1.0, REFUSED), (nan, REFUSED), (inf, REFUSED), ("1", REFUSED), (None, REFUSED), (np.float64(0.5), 0.5)],
        "temperature": [(0.0, REFUSED), (-1.0, REFUSED), (nan, REFUSED), (inf, REFUSED), ("1", REFUSED), (None, REFUSED),
                        (np.float32(2.0), 2.0), (2, 2.0)],
        "softcap": [(0.0, REFUSED), (-1.0, REFUSED), (nan, REFUSED), ("30", REFUSED), (np.float64(5.0), 5.0), (5, 5.0)],
        "weight": [(torch.ones(classes + 1), REFUSED), (-torch.ones(classes), REFUSED), (torch.full((classes,), nan), REFUSED),
                   (torch.ones(classes, 1), REFUSED), ("w", REFUSED), (torch.ones(classes, dtype=torch.complex64), REFUSED),
                   (torch.tensor(1.0), REFUSED)],
        "sample_weight": [(torch.ones((*rows, 2)), REFUSED), (-torch.ones(rows or 1), REFUSED), ("w", REFUSED),
                          (torch.ones(rows, dtype=torch.complex64), REFUSED)],
        "max_memory": [(-1, REFUSED), ("1", REFUSED), (0, REFUSED)],
        "bias": [(torch.ones(classes + 1), REFUSED), ("b", REFUSED), (torch.ones(classes, dtype=torch.int64), REFUSED)],
    }  # fmt: skip
    if not np.prod(rows):
        # Nothing is negative, and nothing out of shape but the number of axes.
        hostile["sample_weight"] = hostile["sample_weight"][2:]
    name = draw.choose([n for n in names if n in hostile])
    given, meaning = draw.choose(hostile[name])
    draw.note("hostile", f"{name}={given!r}")
    return Wrong(name, given, meaning)


def refusal(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """The result of a call, or the documented error that it raised.

    Raises:
        AssertionError: another exception, or one whose words are not lastlayer's.
    """
    try:
        return call(), None
    except DOCUMENTED as error:
        frames = traceback.extract_tb(error.__traceback__)
        last = frames[-1]
        statement = linecache.getline(last.filename, last.lineno).strip()
        is_own = "lastlayer" in last.filename and statement.startswith("raise")
        # Python itself names an argument that a function does not have.
        if not (is_own or "unexpected keyword argument" in str(error)):
            place = f"{last.filename.rpartition('/')[2]}:{last.lineno} {statement}"
            words = str(error).splitlines()[0][:160] if str(error) else ""
            raise AssertionError(f"not lastlayer's words: {type(error).__name__}: {words} [{place}]") from error
        return None, error
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        words = str(error).splitlines()[0][:160] if str(error) else ""
        place = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
        raise AssertionError(f"undocumented {type(error).__name__}: {words} [{place}]") from error
