"""How far log-probabilities of half-typed heads are from the truth, with scores in the half type and in float32.

    python benchmarks/half_scores.py

Inputs and weights are half-typed; the truth is the float64 result of the same numbers. Tokens are sampled from it, as a policy
samples them. The ratio of new to old probability is exp of a difference of log-probabilities, so an error of 0.01 is one per cent
of a ratio that should be 1. The record is benchmarks/results/half-scores.json.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from lastlayer.torch import linear_statistics

RECORD = Path(__file__).parent / "results" / "half-scores.json"
ROWS, FEATURES, CLASSES = 512, 512, 32000
#: The standard deviation of the scores: at the start of training, and of a model that is sure of most tokens.
SPREADS = {"new": 1.0, "trained": 6.0}
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def head(spread: float, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    input = spread / FEATURES**0.5 * torch.randn(ROWS, FEATURES, generator=generator)
    return input.to(dtype), torch.randn(CLASSES, FEATURES, generator=generator).to(dtype)


def figures(errors: torch.Tensor) -> dict[str, float]:
    """The mean and largest error of log-probabilities, and the share of rows whose ratio is more than one per cent off."""
    sizes = errors.abs()
    return {
        "mean": float(f"{sizes.mean():.2g}"),
        "largest": float(f"{sizes.max():.2g}"),
        "ratio_off": round(float((torch.expm1(sizes) > 0.01).double().mean()), 3),
    }


def measure() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for dtype_name, dtype in DTYPES.items():
        for spread_name, spread in SPREADS.items():
            input, weight = head(spread, dtype)
            logs = torch.log_softmax(input.double() @ weight.double().T, -1)
            labels = torch.multinomial(logs.exp(), 1, generator=torch.Generator().manual_seed(1))
            truth = logs.gather(1, labels)[:, 0]
            for scores_name, scores_dtype in ((dtype_name, None), ("float32", torch.float32)):
                found = linear_statistics(input, weight, labels[:, 0], scores_dtype=scores_dtype).log_prob
                of = {"dtype": dtype_name, "spread": spread, "policy": spread_name, "scores": scores_name}
                rows.append({**of, **figures(found.double() - truth)})
                print(rows[-1])
    return rows


if __name__ == "__main__":
    shape = {"rows": ROWS, "features": FEATURES, "classes": CLASSES, "torch": torch.__version__}
    RECORD.write_text(json.dumps({"shape": shape, "rows": measure()}, indent=1) + "\n", encoding="utf-8")
