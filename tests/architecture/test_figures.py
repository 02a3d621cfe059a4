"""Every figure in README and docs/ about speed, memory or error is one of a record in benchmarks/results/.

CLAIMS holds the sentences with places for their figures, and what fills the places from the records. A record or a sentence that
changes alone fails, and so does a figure of this kind that is in no claim.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lastlayer.benchmark import Record

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


@cache
def stored(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


@cache
def run(name: str) -> Record:
    return Record.from_json((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def cell(name: str, operation: str, shape: tuple[int, int]) -> Any:
    return next(c for c in run(name).cells if (c.operation, c.shape) == (operation, shape))


def rows_ahead(name: str) -> int:
    return sum(c.best_peer is not None and not c.is_behind for c in run(name).cells)


def ahead_in_all(*names: str) -> int:
    """The number of rows with a peer, where every record is ahead in all of them."""
    counts = {sum(c.best_peer is not None for c in run(name).cells) for name in names}
    assert counts == {rows_ahead(name) for name in names}
    return counts.pop()


def ahead_by_medians(name: str) -> int:
    found = [c.timings for c in run(name).cells if c.best_peer]
    return sum(t["lastlayer"].median < min(x.median for who, x in t.items() if who != "lastlayer") for t in found)


def range_beside_peers(operation: str) -> tuple[float, float]:
    ratios = [c.best_peer[1] for c in run("cpu-zen5").cells if c.operation == operation and c.best_peer]
    return min(ratios), max(ratios)


def beside_entmax() -> float:
    cells = [c for c in run("cpu-zen5").cells if c.operation.startswith(("sparsemax", "entmax")) and c.shape[1] >= 10]
    return max(c.ratios["entmax"] for c in cells if "entmax" in c.ratios)


def floors(operation: str, *shapes: tuple[int, int]) -> list[float]:
    return [cell("cpu-zen5", operation, shape).floor_ratio for shape in shapes]


def behind(name: str, operation: str, shape: tuple[int, int]) -> float:
    """How much more time than the fastest peer, in per cent."""
    return 100.0 * (cell(name, operation, shape).best_peer[1] - 1.0)


def head(device: str, shape: list[int]) -> dict[str, Any]:
    return next(row for row in stored(f"linear-{device}")["rows"] if row["shape"] == shape)


def times(device: str, shape: list[int], *contenders: str, over: str = "products") -> list[float]:
    seconds = head(device, shape)["seconds"]
    return [seconds[who]["median"] / seconds[over]["median"] for who in contenders]


def peak(device: str, shape: list[int], contender: str, power: int) -> float:
    return head(device, shape)["peak_bytes"][contender] / 2.0**power


def fits(problem: str) -> tuple[float, float]:
    """The better of lbfgs and newton-cg over lastlayer, the least and the most."""
    faster = []
    for row in stored("fit")["rows"]:
        peers = [row["seconds"][who] for who in ("lbfgs", "newton-cg") if who in row["seconds"]]
        if row["problem"].startswith(problem) and peers:
            faster.append(min(peers) / row["seconds"]["lastlayer"])
    return min(faster), max(faster)


def of_a_copy(quantity: str, most: int = 10**9) -> list[int]:
    """The least speed relative to a copy on the GPU, in whole per cent, in float32 and bfloat16."""
    least = []
    for dtype in ("float32", "bfloat16"):
        found = [r["milliseconds"] for r in stored(f"rows-cuda-{dtype}")["rows"] if r["classes"] <= most]
        least.append(math.floor(100 * min(ms["copy"] / ms[quantity] for ms in found)))
    return least


def softmax_search() -> tuple[float, float, float]:
    sets = stored("softmax-errors").values()
    assert all(entry["above_bound"] == 0 for entry in sets)
    return (
        sum(entry["results"] for entry in sets) / 1e10,
        max(entry["largest_ulp"] for entry in sets),
        max(entry["largest_ulp_below_2^-120"] for entry in sets),
    )


SMALL, LARGE = [4096, 512, 32000], [1024, 768, 128256]
GPU, GPU_SMALL = [8192, 4096, 151936], [4096, 2048, 32000]
COLUMNS = ((8192, 1000), (1024, 32000), (256, 128256))

#: Document → (a sentence with places, what fills them).
CLAIMS: dict[str, list[tuple[str, Callable[[], Any]]]] = {
    "README.md": [
        (
            "reaches scikit-learn's objective on digits {:.1f} to {:.1f} times faster than the better of its lbfgs and newton-cg, "
            "and {:.1f} to {:.1f} times faster at 50 000 × 100 features × 100 classes",
            lambda: (*fits("digits"), *fits("clusters")),
        ),
        (
            "at 4096 inputs of 512 features and 32000 classes (float32, two cores) a step forward and backward takes {:.2f} times "
            "the three matrix products that any method must do, {:.2f} of torch's time for `F.cross_entropy(F.linear(…))` and {:.2f} "
            "of its chunked operator's, and holds {:.0f} MiB above the gradients where the former holds {:.0f}",
            lambda: (
                *times("cpu", SMALL, "lastlayer"),
                *times("cpu", SMALL, "lastlayer", over="torch unfused"),
                *times("cpu", SMALL, "lastlayer", over="torch chunked"),
                peak("cpu", SMALL, "lastlayer", 20),
                peak("cpu", SMALL, "torch unfused", 20),
            ),
        ),
        (
            "at 1024 × 768 × 128256 it takes {:.2f} times the products, {:.2f} and {:.2f} of the two",
            lambda: (
                *times("cpu", LARGE, "lastlayer"),
                *times("cpu", LARGE, "lastlayer", over="torch unfused"),
                *times("cpu", LARGE, "lastlayer", over="torch chunked"),
            ),
        ),
        (
            "in bfloat16 at 8192 × 4096 × 151936 it takes {:.2f} times the products and {:.1f} GiB, `torch.compile` {:.2f} and "
            "{:.1f} GiB, Liger {:.2f} and cut-cross-entropy {:.2f}",
            lambda: (
                *times("cuda", GPU, "lastlayer"),
                peak("cuda", GPU, "lastlayer", 30),
                *times("cuda", GPU, "torch.compile"),
                peak("cuda", GPU, "torch.compile", 30),
                *times("cuda", GPU, "liger", "cut-cross-entropy"),
            ),
        ),
        (
            "we are ahead of every peer in all {} rows, in float32 and in float64",
            lambda: (ahead_in_all("cpu-zen5", "cpu-float64"),),
        ),
        (
            "In float32 softmax takes {:.2f} to {:.2f} of the fastest peer's time; the loss with its gradient, written into an "
            "array, {:.2f} to {:.2f}; sparsemax and entmax at most {:.2f} of the entmax package's from 10 classes up",
            lambda: (*range_beside_peers("softmax"), *range_beside_peers("cross_entropy_grad"), beside_entmax()),
        ),
        (
            "At 8192 × 1000, 1024 × 32000 and 256 × 128256 softmax takes {:.2f}, {:.2f} and {:.2f} of a copy, the loss with its "
            "gradient {:.2f}, {:.2f} and {:.2f}, and the loss alone at the last two {:.2f} and {:.2f} of one read",
            lambda: (
                *floors("softmax", *COLUMNS),
                *floors("cross_entropy_grad", *COLUMNS),
                *floors("cross_entropy", *COLUMNS[1:]),
            ),
        ),
        (
            "On two cores of an Intel Xeon we are ahead in {} rows: of 8192 × 1000 softmax took {:.0f} % more than ONNX Runtime's "
            "and log_softmax into a new array {:.0f} %",
            lambda: (
                rows_ahead("cpu"),
                behind("cpu", "softmax", (8192, 1000)),
                behind("cpu", "log_softmax_fresh", (8192, 1000)),
            ),
        ),
        (
            "Earlier kernels were ahead in {} rows on Zen 4 (of 65536 × 100, softmax took {:.0f} % more than ONNX Runtime's and "
            "log_softmax into a new array {:.0f} %; in all {} by the medians)",
            lambda: (
                rows_ahead("cpu-zen4"),
                behind("cpu-zen4", "softmax", (65536, 100)),
                behind("cpu-zen4", "log_softmax_fresh", (65536, 100)),
                ahead_by_medians("cpu-zen4"),
            ),
        ),
    ],
    "docs/torch.md": [
        (
            "in bfloat16 at 8192 inputs of 4096 features and 151936 classes, the head takes {:.2f} times the bare matrix products and "
            "{:.1f} GiB above the gradients, where torch's two functions take {:.2f} and {:.1f} GiB, `torch.compile` of them {:.2f} "
            "and {:.1f} GiB, Liger {:.2f} and cut-cross-entropy {:.2f}",
            lambda: (
                *times("cuda", GPU, "lastlayer"),
                peak("cuda", GPU, "lastlayer", 30),
                *times("cuda", GPU, "torch unfused"),
                peak("cuda", GPU, "torch unfused", 30),
                *times("cuda", GPU, "torch.compile"),
                peak("cuda", GPU, "torch.compile", 30),
                *times("cuda", GPU, "liger", "cut-cross-entropy"),
            ),
        ),
        (
            "the head takes {:.2f}, torch's functions {:.2f}, and compiled {:.2f}",
            lambda: times("cuda", GPU_SMALL, "lastlayer", "torch unfused", "torch.compile"),
        ),
        (
            "Rows of softmax run at {} % of the speed of a copy or more, in float32 and in bfloat16 (up to 65536 classes at {} % or "
            "more), log_softmax at {} and {} % or more",
            lambda: (min(of_a_copy("softmax")), min(of_a_copy("softmax", 65536)), *of_a_copy("log_softmax")),
        ),
    ],
    "docs/accuracy.md": [
        (
            "among {:.0f} · 10¹⁰ results, two thirds of them of the rows that are worst, found none beyond 2 ULP on any instruction "
            "set; the largest error was {:.2f} ULP, and {:.2f} ULP below 2⁻¹²⁰",
            softmax_search,
        ),
        (
            "torch's and SciPy's softmax are {:.0f} ULP off at scores within ±100",
            lambda: (run("cpu-zen5").largest_error("softmax", "torch")[0],),
        ),
    ],
}
#: What else looks like a figure of this kind, and is none: bounds that the contract holds, options, and memory that is computed.
OTHERS = {
    "README.md": ("Python 3.11",),
    "docs/torch.md": ("2 MiB and more",),
    "docs/accuracy.md": None,
}
#: A number beside a word of speed or memory, or with decimals.
FIGURE = re.compile(
    r"(?<![\w.\[,])\d[\d ]*(?:\.\d+)? ?(?:times\b|[GM]iB|% |rows\b|of torch's)|(?<![\w.\[,`])\d+\.\d\d(?![\d.\]])"
)


def prose(name: str) -> str:
    """A document's text on one line, without code, tables and links' targets."""
    text = (ROOT / name).read_text(encoding="utf-8")
    text = re.sub(r"```.*?```", " ", text, flags=re.DOTALL)
    text = "\n".join(line for line in text.splitlines() if not line.startswith("|"))
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"\s+", " ", text)


def filled(name: str) -> list[str]:
    return [sentence.format(*values()) for sentence, values in CLAIMS[name]]


@pytest.mark.parametrize("name", CLAIMS)
def test_sentences_say_what_the_records_say(name):
    text = prose(name)
    for sentence in filled(name):
        assert sentence in text, f"{name} does not say: {sentence}"


@pytest.mark.parametrize("name", [name for name, others in OTHERS.items() if others is not None])
def test_every_figure_is_in_a_claim(name):
    text = prose(name)
    for known in (*filled(name), *OTHERS[name]):
        text = text.replace(known, " ")
    found = [text[max(0, m.start() - 60) : m.end() + 30] for m in FIGURE.finditer(text)]
    assert not found, f"{name}: figures without a record: {found}"


def test_a_changed_figure_and_a_new_one_are_found():
    """The test itself: neither a figure that no record has nor a sentence that no claim has passes."""
    text = prose("README.md")
    first = filled("README.md")[0]
    assert first.replace("times", "x") not in text
    assert FIGURE.search("lastlayer is 3 times faster")
    assert FIGURE.search("and holds 12 GiB")
    assert FIGURE.search("takes 0.31 of a copy")
    assert FIGURE.search("ahead in 71 rows")
