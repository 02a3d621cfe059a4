"""Which linear heads are right: every case of `check_head` on ours and on each peer that is installed.

python benchmarks/heads.py [--device cpu|cuda] [--out FILE]

Peers: torch's two operators one after the other, its chunked operator, Liger's kernel and cut-cross-entropy
(`pip install --no-deps liger-kernel cut-cross-entropy`). Without a GPU the Triton kernels run in the interpreter, which computes
what the kernel says, slowly. A peer that cannot be imported is left out, and the record says so. The record is
benchmarks/results/heads-<device>.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

RESULTS = Path(__file__).parent / "results"
#: The interpreter of Triton would need hours for these.
SLOW = {"many rows", "small integer labels"}

Tensor = torch.Tensor
Head = Callable[..., Tensor]


def ours(input: Tensor, weight: Tensor, labels: Tensor, **options: Any) -> Tensor:
    """`lastlayer.torch.linear_loss`."""
    from lastlayer.torch import linear_loss

    return linear_loss(input, weight, labels, **options)


def plain(input: Tensor, weight: Tensor, labels: Tensor, *, bias: Tensor | None = None, **options: Any) -> Tensor:
    """The usual code: torch's linear, then its cross_entropy, which takes labels of 8 and 64 bits."""
    return F.cross_entropy(F.linear(input, weight, bias), labels, **options)


def chunked(input: Tensor, weight: Tensor, labels: Tensor, *, bias: Tensor | None = None, **options: Any) -> Tensor:
    """PyTorch's chunked operator."""
    plan = torch.nn.LinearCrossEntropyOptions()
    return F.linear_cross_entropy(input, weight, labels, linear_bias=bias, options=plan, **options)


def liger() -> Head:
    """Liger's fused linear cross-entropy."""
    from liger_kernel.ops.fused_linear_cross_entropy import LigerFusedLinearCrossEntropyFunction

    def head(
        input: Tensor,
        weight: Tensor,
        labels: Tensor,
        *,
        bias: Tensor | None = None,
        reduction: str = "mean",
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
    ) -> Tensor:
        found = LigerFusedLinearCrossEntropyFunction.apply(
            input, weight, labels, bias, None, ignore_index, 0.0, label_smoothing, reduction
        )
        return found[0] if isinstance(found, tuple) else found

    return head


def cut_cross_entropy() -> Head:
    """cut-cross-entropy: its kernel on a GPU, its implementation by torch.compile elsewhere."""
    from cut_cross_entropy import linear_cross_entropy

    # Every case is another shape, and each compiles.
    torch._dynamo.config.recompile_limit = 1000

    def head(input: Tensor, weight: Tensor, labels: Tensor, **options: Any) -> Tensor:
        by = "cce_exact" if input.is_cuda else "torch_compile"
        return linear_cross_entropy(input, weight, labels, impl=by, **options)

    return head


def heads() -> tuple[dict[str, Head], dict[str, str]]:
    """What is installed, by name, and why the others are left out."""
    found: dict[str, Head] = {"lastlayer": ours, "torch": plain, "torch chunked": chunked}
    missing: dict[str, str] = {}
    for name, make in (("liger-kernel", liger), ("cut-cross-entropy", cut_cross_entropy)):
        try:
            found[name] = make()
        except ImportError as error:
            missing[name] = str(error)
    return found, missing


def installed(package: str) -> str:
    """The version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def main() -> None:
    """Run, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.device == "cpu":
        # Before Triton is imported.
        os.environ["TRITON_INTERPRET"] = "1"
    from lastlayer.torch import check_head

    contenders, missing = heads()
    reports = {}
    for name, head in contenders.items():
        is_slow = arguments.device == "cpu" and name == "liger-kernel"
        names = [
            case for case in check_head.CASES if not ((is_slow and case in SLOW) or check_head.CASES[case].is_large)
        ]
        reports[name] = check_head(head, cases=names, device=arguments.device)
        print(f"\n{name}\n{reports[name]}", flush=True)
    record = {
        "facts": {
            "date": datetime.now(UTC).date().isoformat(),
            "device": torch.cuda.get_device_name() if arguments.device == "cuda" else platform.machine(),
            "versions": {name: installed(name) for name in ("torch", "triton", "liger-kernel", "cut-cross-entropy")},
            "missing": missing,
        },
        "cases": {name: case.fault for name, case in check_head.CASES.items() if not case.is_large},
        "heads": {name: report.to_dict() for name, report in reports.items()},
    }
    path = arguments.out or RESULTS / f"heads-{arguments.device}.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
