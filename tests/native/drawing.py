"""What the fuzz draws: scores, options and targets of any kind, in any layout, and where results go."""

from __future__ import annotations

from typing import Any

import numpy as np

from lastlayer.mappings import MAPPINGS, ProbabilityMapping

#: Around the widths of vectors, of blocks and of the layouts' own limits.
_SMALL = (1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 56, 57, 63, 64, 65, 96)
WIDTHS = (*_SMALL, 127, 128, 129, 130, 136, 255, 256, 257, 300, 512, 513, 1000)
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-310, 1e-40, 1e-7, -1.0, 1e30, 1e38, -1e38)
ALPHA_A_ROW = "a row"


def draw_scores(rng: np.random.Generator, dtype: np.dtype, name: str) -> tuple[np.ndarray, int]:
    """Scores with one to three axes and their class axis; sizes of 1e-3 to 1e30, ties, offsets, special values."""
    classes = int(rng.choice(WIDTHS)) if rng.random() < 0.8 else int(rng.integers(1, 2001))
    rows = int(min(rng.integers(0, 41), 1 + 6000 // classes))
    shape = [(), (rows,), (rows // 3, 3)][int(rng.integers(3))]
    axis = int(rng.integers(len(shape) + 1))
    size = 10.0 ** (rng.uniform(-3, 2) if rng.random() < 0.8 else rng.uniform(2, 30))
    x = rng.normal(size=(*shape, classes)) * size + rng.choice([0.0, -40.0, 3e3, size])
    if rng.random() < 0.3:
        x = np.round(x / size) * size
    if rng.random() < 0.4 and x.size:
        x.flat[rng.integers(x.size, size=1 + x.size // 50)] = rng.choice(SPECIAL)
    if MAPPINGS[name].domain.is_valid is not None and rng.random() < 0.8:
        x = np.abs(x)
    with np.errstate(all="ignore"):
        return np.moveaxis(x, -1, axis).astype(dtype), axis - len(x.shape)


def laid_out(rng: np.random.Generator, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values in one of the layouts that arrays come in, and all memory around them, guards included."""
    layout = rng.choice(["C", "F", "steps", "backwards", "swapped bytes", "odd address", "a part"])
    axes = rng.permutation(values.ndim) if layout == "F" else np.arange(values.ndim)
    part: tuple[slice, ...] = (slice(None),) * values.ndim
    dtype = values.dtype.newbyteorder() if layout == "swapped bytes" else values.dtype
    shape = np.array(values.shape)
    if layout == "steps":
        part = tuple(slice(1, 1 + 3 * n, 3) for n in shape)
        shape = 1 + 3 * shape
    elif layout == "backwards":
        part = (slice(None, None, -1),) * values.ndim
    elif layout == "a part":
        part = tuple(slice(1, 1 + n) for n in shape)
        shape = shape + 2
    # Guards before and after, which no result may reach; at an odd address where asked for.
    ahead = 64 + (layout == "odd address")
    memory = np.full(ahead + int(np.prod(shape)) * dtype.itemsize + 64, 7, np.uint8)
    whole = memory[ahead:-64].view(dtype).reshape(shape[axes]).transpose(np.argsort(axes))
    view = whole[(*part, ...)]
    view[...] = values
    return view, memory


def as_input(rng: np.random.Generator, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same for what is only read: with repeated rows, or read-only."""
    if rng.random() < 0.1 and values.ndim:
        axis = int(rng.integers(values.ndim))
        if values.shape[axis]:
            few = values.take([0], axis).copy()
            return np.broadcast_to(few, values.shape), few
    view, memory = laid_out(rng, values)
    view.flags.writeable = bool(rng.random() < 0.7)
    return view, memory


def an_out(rng: np.random.Generator, scores: np.ndarray) -> tuple[np.ndarray | None, Any]:
    """An `out`: none, the scores themselves, or NaN-filled memory; and a check that nothing else was written."""
    choice = rng.choice(["none", "scores", "other"])
    if choice == "none" or not scores.dtype.isnative or (choice == "scores" and not scores.flags.writeable):
        return None, lambda: None
    if choice == "scores":
        return scores, lambda: None
    out, memory = laid_out(rng, np.full(scores.shape, np.nan, scores.dtype))
    if not out.dtype.isnative:
        return None, lambda: None
    kept = out.copy()

    def check() -> None:
        written = out.copy()
        out[...] = kept
        assert memory.tobytes() == before, "the memory around out was written"
        out[...] = written

    before = memory.tobytes()
    return out, check


def record_for(rng: np.random.Generator, name: str, value: Any, rows: tuple[int, ...]) -> ProbabilityMapping:
    if value is None:
        return MAPPINGS[name]
    if value == ALPHA_A_ROW:
        return MAPPINGS[name].replace(alpha=rng.choice([1.0, 1.05, 1.2, 1.5, 2.0, 2.5, 3.0], size=rows))
    return MAPPINGS[name].replace(**{"alpha" if name == "entmax" else "order": value})


def draw_options(
    rng: np.random.Generator, rows: tuple[int, ...], classes: int, is_untransformed: bool
) -> dict[str, Any]:
    """Arguments of a loss, each option there or not."""
    options: dict[str, Any] = {"reduction": str(rng.choice(["mean", "sum", "none", "parts"]))}
    if is_untransformed:
        return options
    some = {
        "weight": rng.uniform(0, 2, size=classes) * (rng.random(classes) < 0.9),
        "sample_weight": (rng.uniform(0, 2, size=rows) * (rng.random(rows) < 0.8)).astype(rng.choice(["f4", "f8"])),
        "label_smoothing": float(rng.choice([0.1, 1.0])),
        "z_loss": float(rng.choice([1e-3, 0.5])),
        "temperature": float(rng.choice([0.5, 0.7, 3.0])),
        "softcap": float(rng.choice([0.5, 5.0, 30.0])),
    }
    return options | {name: value for name, value in some.items() if rng.random() < 0.4}


def draw_targets(rng: np.random.Generator, rows: tuple[int, ...], classes: int, axis: int) -> tuple[Any, bool, int]:
    """Labels, some of them ignored, or soft targets with the classes at `axis`; whether they are soft; what is ignored."""
    if rng.random() < 0.6:
        labels = rng.integers(0, classes, size=rows).astype(rng.choice(["i2", "i4", "i8"]))
        ignored = int(rng.choice([-100, 0]))
        return np.where(rng.random(rows) < 0.2, ignored, labels).astype(labels.dtype), False, ignored
    soft = rng.exponential(size=(*rows, classes)) * (rng.random((*rows, classes)) < 0.7) + 1e-9
    soft = soft / soft.sum(axis=-1, keepdims=True)
    soft[rng.random(rows) < 0.3] = np.eye(classes)[rng.integers(classes)]
    return np.moveaxis(soft.astype(rng.choice(["f4", "f8"])), -1, axis), True, -100
