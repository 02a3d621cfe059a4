"""Every figure about speed, memory or error in README and docs/ comes from a record in benchmarks/results/.

CLAIMS holds sentences with placeholders, and functions that fill them from the records. The test fails if only the record or
only the sentence changes, and if a document has a figure of this kind that is not in CLAIMS.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
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
def statistics_record() -> dict[str, Any]:
    (row,) = stored("linear-statistics-cpu")["rows"]
    return row


def run(name: str) -> Record:
    return Record.from_json((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def rows_ahead(name: str) -> int:
    return sum(c.best_peer is not None and not c.is_behind for c in run(name).cells)


def ahead_in_all(*names: str) -> int:
    """The number of rows with a peer; every one of these records must be ahead in all of them."""
    counts = {sum(c.best_peer is not None for c in run(name).cells) for name in names}
    assert counts == {rows_ahead(name) for name in names}
    return counts.pop()


def head(device: str, shape: list[int]) -> dict[str, Any]:
    return next(row for row in stored(f"linear-{device}")["rows"] if row["shape"] == shape)


def times(device: str, shape: list[int], *contenders: str, over: str = "products") -> list[float]:
    seconds = head(device, shape)["seconds"]
    return [seconds[who]["median"] / seconds[over]["median"] for who in contenders]


def peak(device: str, shape: list[int], contender: str, power: int) -> float:
    return head(device, shape)["peak_bytes"][contender] / 2.0**power


def fits(problem: str) -> tuple[float, float]:
    """The smallest and largest ratio of the better of lbfgs and newton-cg to lastlayer."""
    faster = []
    for row in stored("fit")["rows"]:
        peers = [row["seconds"][who] for who in ("lbfgs", "newton-cg") if who in row["seconds"]]
        if row["problem"].startswith(problem) and peers:
            faster.append(min(peers) / row["seconds"]["lastlayer"])
    return min(faster), max(faster)


def faster(operation: str) -> tuple[float, float]:
    """How many times faster than the fastest peer, from the least to the most over the shapes."""
    ratios = [c.best_peer[1] for c in run("cpu-zen5").cells if c.operation == operation and c.best_peer is not None]
    return 1 / max(ratios), 1 / min(ratios)


def accuracy(table: str, mapping: str) -> float:
    """The accuracy in a recorded study, which the page shows too, in per cent."""
    text = (files("lastlayer.explore") / "data" / "studies.json").read_text(encoding="utf-8")
    found = next(each for each in json.loads(text)["tables"] if each["name"] == table)
    return 100 * found["mappings"][mapping]["accuracy"][0]


def of_a_copy(quantity: str, most: int = 10**9) -> list[int]:
    """The lowest speed relative to a copy on the GPU, in whole per cent, in float32 and bfloat16."""
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


CPU = [4096, 512, 32000]
GPU, GPU_SMALL = [8192, 4096, 151936], [4096, 2048, 32000]

#: Document → (a sentence with placeholders, a function that fills them).
CLAIMS: dict[str, list[tuple[str, Callable[[], Any]]]] = {
    "README.md": [
        (
            "On handwritten digits softmax is right {:.1f} % of the time, the plain ratio {:.1f} %",
            lambda: (accuracy("digits", "softmax"), accuracy("digits", "ratio")),
        ),
        (
            "On an AMD Zen 5 it is faster than PyTorch, SciPy, ONNX Runtime, JAX and entmax in all {} cases, on an Intel Xeon in {} "
            "cases",
            lambda: (ahead_in_all("cpu-zen5", "cpu-float64"), rows_ahead("cpu")),
        ),
        (
            "Softmax is {:.1f} to {:.1f} times as fast as the fastest peer, cross-entropy with its gradient {:.1f} to {:.1f} times",
            lambda: (*faster("softmax"), *faster("cross_entropy_grad")),
        ),
        (
            "On two cores, a training step with 32 000 classes takes {:.0f} % less time than PyTorch's, and {:.0f} MiB instead of "
            "{:.0f} MiB",
            lambda: (
                100 * (1 - times("cpu", CPU, "lastlayer", over="torch unfused")[0]),
                peak("cpu", CPU, "lastlayer", 20),
                peak("cpu", CPU, "torch unfused", 20),
            ),
        ),
        (
            "On an H200, with 151 936 classes, it takes {:.2f} times the bare matrix products",
            lambda: times("cuda", GPU, "lastlayer"),
        ),
        (
            "logistic regression is trained {:.1f} to {:.1f} times faster than by scikit-learn's better solver",
            lambda: fits("digits"),
        ),
    ],
    "docs/torch.md": [
        (
            "the forward pass takes {:.2f} times as long as its product, and with the gradients {:.2f} times as long as the four",
            lambda: (
                statistics_record()["statistics"]["forward / one product"],
                statistics_record()["statistics"]["forward and backward / four products"],
            ),
        ),
        (
            "On an H200 (bfloat16, 8192 inputs of 4096 features, 151936 classes) the head takes {:.2f} times the bare matrix products "
            "and {:.1f} GiB in addition to the gradients; torch's two functions take {:.2f} and {:.1f} GiB",
            lambda: (
                *times("cuda", GPU, "lastlayer"),
                peak("cuda", GPU, "lastlayer", 30),
                *times("cuda", GPU, "torch unfused"),
                peak("cuda", GPU, "torch unfused", 30),
            ),
        ),
        (
            "the head takes {:.2f} times the products and torch's functions {:.2f}",
            lambda: times("cuda", GPU_SMALL, "lastlayer", "torch unfused"),
        ),
        (
            "Softmax runs at {} % of the speed of a copy or more, in float32 and in bfloat16 (at {} % or more up to 65536 classes), and "
            "log_softmax at {} % or more in float32 and {} % or more in bfloat16",
            lambda: (min(of_a_copy("softmax")), min(of_a_copy("softmax", 65536)), *of_a_copy("log_softmax")),
        ),
    ],
    "docs/how-to/train-across-processes.md": [
        (
            "two processes of one thread take {:.2f} times as long as one process of two threads",
            lambda: (statistics_record()["slices"]["two over one"],),
        ),
    ],
    "docs/accuracy.md": [
        (
            "among {:.0f} · 10¹⁰ results, two thirds of them from the worst kind of rows, found none beyond 2 ULP on any instruction "
            "set; the largest error was {:.2f} ULP, and {:.2f} ULP below 2⁻¹²⁰",
            softmax_search,
        ),
        (
            "torch's and SciPy's softmax are {:.0f} ULP off at scores within ±100",
            lambda: (run("cpu-zen5").largest_error("softmax", "torch")[0],),
        ),
    ],
}
#: Text that FIGURE matches although it is not measured: versions and documented sizes. None means that the document is not
#: searched, because its numbers are bounds, which other tests hold.
OTHERS = {
    # The short answer, whose figures tests/docs/test_lesson_numbers.py holds, and the output that test_readme.py holds.
    "README.md": ("Python 3.11", "1.39 times"),
    "docs/torch.md": ("2 MiB and more",),
    # Its other figures are those of plans, whose code runs as a test.
    "docs/how-to/train-across-processes.md": None,
    "docs/accuracy.md": None,
}
#: A number before a word of speed or memory, or with two decimals.
FIGURE = re.compile(
    r"(?<![\w.\[,])\d[\d ]*(?:\.\d+)? ?(?:times\b|[GM]iB|% |rows\b|cases\b|of torch's)|(?<![\w.\[,`])\d+\.\d\d(?![\d.\]])"
)


def prose(name: str) -> str:
    """A document's text on one line, without code blocks, tables and the targets of links."""
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
    """The test above can fail: it finds a changed sentence and a figure that is in no claim."""
    text = prose("README.md")
    first = filled("README.md")[0]
    assert first.replace("right", "wrong") not in text
    assert FIGURE.search("lastlayer is 3 times faster")
    assert FIGURE.search("and holds 12 GiB")
    assert FIGURE.search("takes 0.31 of a copy")
    assert FIGURE.search("ahead in 71 rows")
    assert FIGURE.search("faster in 70 cases")
