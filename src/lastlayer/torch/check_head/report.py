"""What a head did in each case: passed, wrong by how much, or raised."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from lastlayer.words.numbers import short

Outcome = Literal["passed", "wrong", "raised"]


@dataclass(frozen=True)
class CaseResult:
    """One case. `error` is the largest relative error of loss and gradients, `allowed` the bound; both None where it raised."""

    name: str
    fault: str
    source: str
    outcome: Outcome
    error: float | None
    allowed: float | None
    detail: str

    def __str__(self) -> str:
        if self.outcome == "passed":
            return f"passed  {self.name}"
        return f"{self.outcome:<6}  {self.name}: {self.detail}\n        the fault: {self.fault}"


@dataclass(frozen=True)
class HeadReport:
    """All cases, in order."""

    results: tuple[CaseResult, ...]

    @property
    def is_passed(self) -> bool:
        """Whether every case passed."""
        return all(result.outcome == "passed" for result in self.results)

    def __getitem__(self, name: str) -> CaseResult:
        """The case with this name."""
        return next(result for result in self.results if result.name == name)

    def to_dict(self) -> list[dict[str, Any]]:
        """One dictionary per case, for JSON; an infinite error is the string "inf"."""
        facts = [asdict(result) for result in self.results]
        for fact in facts:
            fact["error"] = "inf" if fact["error"] == float("inf") else fact["error"]
        return facts

    def __str__(self) -> str:
        counts = {kind: sum(r.outcome == kind for r in self.results) for kind in ("passed", "wrong", "raised")}
        lines = [str(result) for result in self.results]
        return "\n".join([*lines, ", ".join(f"{count} {kind}" for kind, count in counts.items())])

    __repr__ = __str__


def wrong_by(error: float, what: str, allowed: float) -> str:
    """How wrong: the sentence behind a case that is not passed."""
    if error == float("inf"):
        return f"{what} is missing, NaN or infinite where it should be a number, or the other way round"
    return f"{what} is wrong by {short(error, 2)} of its largest entry; {short(allowed, 2)} is allowed"
