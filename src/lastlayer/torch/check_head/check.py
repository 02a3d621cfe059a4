"""Run every case on a head."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from lastlayer.torch.check_head.cases import CASES, Case
from lastlayer.torch.check_head.report import CaseResult, HeadReport, wrong_by
from lastlayer.torch.check_head.trial import Head, Trial


def check_head(
    function: Head,
    *,
    cases: Iterable[str] | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> HeadReport:
    """Hold a linear head, yours or anybody's, to what `F.cross_entropy(F.linear(input, weight, bias), labels)` is.

    Each case is a kind of fault that a public head has had, with its report. Loss and gradients are compared with plain torch in
    float64; an error up to twice that of plain torch in the same dtype is allowed, and 32 units of the dtype's precision.

    Args:
        function: `function(input, weight, labels, *, bias=None, reduction="mean", ignore_index=-100, label_smoothing=0.0)`, with
            input (N, D), weight (K, D), labels (N,). A keyword is passed only in the cases that need it, so a head
            without an option raises in those cases alone.
        cases: names from `check_head.CASES`; by default all but those marked as large, which need minutes and memory.
        dtype: of input, weight and bias.
        device: where the tensors are.

    Returns:
        A report; printed it is a table. `report.is_passed` says whether every case passed.

    Raises:
        KeyError: a case that there is not.

    >>> from lastlayer.torch import linear_loss
    >>> report = check_head(linear_loss, cases=["loss and gradients", "bias"])
    >>> print(report)
    passed  loss and gradients
    passed  bias
    2 passed, 0 wrong, 0 raised
    """
    names = [name for name, case in CASES.items() if not case.is_large] if cases is None else list(cases)
    if unknown := [name for name in names if name not in CASES]:
        raise KeyError(f"There is no case {unknown[0]!r}; there are {', '.join(map(repr, CASES))}.")
    return HeadReport(tuple(_result(CASES[name], function, dtype, torch.device(device)) for name in names))


def _result(case: Case, function: Head, dtype: torch.dtype, device: torch.device) -> CaseResult:
    trial = Trial(function, dtype, device)
    try:
        with torch.enable_grad():
            case.run(trial)
    except Exception as raised:
        said = f"{type(raised).__name__}: {raised}".splitlines()[0]
        return CaseResult(case.name, case.fault, case.source, "raised", None, None, said)
    error, allowed, what = trial.worst
    if error <= allowed:
        return CaseResult(case.name, case.fault, case.source, "passed", error, allowed, "")
    return CaseResult(case.name, case.fault, case.source, "wrong", error, allowed, wrong_by(error, what, allowed))


check_head.CASES = CASES  # type: ignore[attr-defined]
