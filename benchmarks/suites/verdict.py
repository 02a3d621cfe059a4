"""Verdicts on a peer's sample: equal, a documented difference, not applicable, or a wrong value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "deviations.md"
KINDS = ("equal", "difference", "n.a.", "WRONG VALUE")


def documented_rows() -> tuple[str, ...]:
    """The first cell of every row of docs/deviations.md."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return tuple(line.split("|")[1].strip() for line in lines[1:])


@dataclass(frozen=True)
class Rule:
    """A failure whose message contains `pattern` is a documented difference, or not applicable."""

    pattern: str
    kind: str
    #: The beginning of the first cell of a row in docs/deviations.md; or the reason why a sample is not applicable.
    reason: str


class NotApplicableError(Exception):
    """lastlayer has no counterpart for what a sample tests."""


#: lastlayer's error messages for input that it refuses.
REFUSALS = (
    Rule("single number", "difference", "0-d scores, an empty class axis, several axes"),
    Rule("is empty; give at least one class", "difference", "0-d scores, an empty class axis, several axes"),
    Rule("no class; give at least one row", "difference", "0-d scores, an empty class axis, several axes"),
    Rule("requires a gradient", "difference", "gradient in soft targets"),
    Rule("soft target", "difference", "soft targets"),
    Rule("has a negative, infinite or NaN entry", "difference", "negative class weights"),
)


@dataclass
class Suite:
    """The verdicts of one peer's suite."""

    name: str
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    rows: tuple[str, ...] = field(default_factory=documented_rows)

    def add(self, kind: str, reason: str = "", sample: str = "") -> None:
        """Count one sample. A difference that no row of docs/deviations.md names is a wrong value."""
        if kind == "difference" and not any(row.startswith(reason) for row in self.rows):
            kind, sample = "WRONG VALUE", f"{sample}: {reason!r} is not a row of docs/deviations.md"
        if kind == "WRONG VALUE":
            self.wrong.append(f"{self.name}: {sample} {reason}")
            reason = ""
        self.counts[kind, reason] += 1

    def judge(self, error: BaseException | str, rules: tuple[Rule, ...], sample: str) -> None:
        """Count a failure by the first rule whose pattern is in its message."""
        words = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        if isinstance(error, NotApplicableError):
            self.add("n.a.", str(error))
            return
        for rule in rules:
            if rule.pattern in words:
                self.add(rule.kind, rule.reason, sample)
                return
        self.add("WRONG VALUE", words.strip().splitlines()[0][:200] if words.strip() else "", sample)

    def trial(self, sample: str, work: Callable[[], str | None], rules: tuple[Rule, ...] = ()) -> None:
        """Run one sample. `work` returns None or the row of a documented difference; an exception is judged by the rules."""
        try:
            reason = work()
        except Exception as error:
            self.judge(error, (*rules, *REFUSALS), sample)
        else:
            self.add("difference" if reason else "equal", reason or "", sample)

    def table(self) -> str:
        """The counts per verdict, and per named difference or reason."""
        totals = Counter(dict.fromkeys(KINDS, 0))
        for (kind, _), count in self.counts.items():
            totals[kind] += count
        lines = [f"{self.name:<28}" + "".join(f"{kind} {totals[kind]:<7}" for kind in KINDS)]
        lines += [f"    {count:6d}  {kind}: {why}" for (kind, why), count in sorted(self.counts.items()) if why]
        return "\n".join(lines)
