"""What people say: here and in general. What the scores do not test is folded, or all of it is shown with its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from lastlayer.comparison.claims import Claim
from lastlayer.comparison.text.paper import Line, Paper
from lastlayer.words.numbers import short

HEADING = "What people say about softmax"
STYLES = {
    "yes": "green",
    "true": "green",
    "no": "yellow",
    "false": "yellow",
    "half true": "cyan",
    "depends": "cyan",
    "not tested": "dim",
}
#: The widths of a claim, of a verdict here, of a verdict in general with its reason, and the narrowest paper for columns.
CLAIM, HERE, GENERAL, NARROWEST = 40, 9, 9, 50
#: Room for two verdicts in one line: here half true, in general half true.
NARROWEST_PAIR = 38
UNTESTED = "Not tested here, but by these scores (in brackets: what is so in general):"


def claim_lines(claims: Sequence[Claim], paper: Paper) -> list[Line]:
    """Two columns of verdicts, then how to test the other claims; or every claim in full."""
    if paper.everything:
        return [line for claim in claims for line in [(), *_in_full(claim, paper)]][1:]
    tested = [claim for claim in claims if claim.here != "not tested"]
    folded = [claim for claim in claims if claim.here == "not tested"]
    head: list[Line] = [((HEADING, "bold"),)]
    return (_in_columns(tested, paper) if tested else head) + _folded(folded, paper)


def _in_columns(claims: Sequence[Claim], paper: Paper) -> list[Line]:
    if paper.width < NARROWEST:
        return [line for claim in claims for line in _stacked(claim, paper)]
    # On narrow paper the reason is left out, then the gaps shrink, then claims take a second line.
    gap = "  " if paper.width >= CLAIM + HERE + GENERAL + 4 else " "
    claim_width = min(CLAIM, paper.width - HERE - GENERAL - 2 * len(gap))
    room = paper.width - claim_width - HERE - 2 * len(gap)
    has_reason = room >= GENERAL + 18
    head = f"{gap}{'here':{HERE}}{gap}{'in general':.{room}}"
    lines: list[Line] = [((f"{HEADING[:claim_width]:{claim_width}}", "bold"), (head, "dim"))]
    for claim in claims:
        first, *more = paper.folded(claim.claim, claim_width)
        reason = f": {paper.spelled(claim.brief)}" if has_reason else ""
        fits = len(claim.in_general + reason) <= room
        lines.append(
            (
                (f"{first:{claim_width}}{gap}", ""),
                (f"{claim.here:{HERE}}{gap}", STYLES[claim.here]),
                (claim.in_general, STYLES[claim.in_general]),
                (reason if fits else "", ""),
            )
        )
        lines += [((f"  {text}", ""),) for text in more]
    return lines


def _stacked(claim: Claim, paper: Paper) -> list[Line]:
    """For a narrow terminal: the verdicts under the claim."""
    here: Line = (("  here ", "dim"), (claim.here, STYLES[claim.here]))
    general = (claim.in_general, STYLES[claim.in_general])
    if paper.width < NARROWEST_PAIR:
        return [*paper.wrapped(claim.claim), here, (("  in general ", "dim"), general)]
    return [*paper.wrapped(claim.claim), (*here, (", in general ", "dim"), general)]


def _folded(claims: Sequence[Claim], paper: Paper) -> list[Line]:
    """The claims that the scores do not test, each after scores that do."""
    if not claims:
        return []
    groups: dict[str, list[str]] = {}
    for claim in claims:
        groups.setdefault(_scores(claim), []).append(f"{claim.claim} ({claim.in_general})")
    lines = paper.wrapped(UNTESTED, style="dim")
    for scores, named in groups.items():
        lines += paper.wrapped(f"{scores}: {'; '.join(named)}", first="  ", rest="    ", style="dim")
    return lines


def _scores(claim: Claim) -> str:
    return " ".join(short(x) for x in claim.shown_by)


def _in_full(claim: Claim, paper: Paper) -> list[Line]:
    """The claim, what it is here with the numbers, and what it is in general with the reason."""
    evidence = claim.evidence + (f" Try {_scores(claim)}." if claim.here == "not tested" else "")
    lines = paper.wrapped(claim.claim, style="bold")
    for where, verdict, why in (("here", claim.here, evidence), ("in general", claim.in_general, claim.reason)):
        head = f"  {where}: "
        # The verdict's width is part of the paragraph, so that its words wrap behind it.
        (_, (text, _)), *more = paper.wrapped(f"{verdict}. {why}", first=head, rest="    ")
        lines.append(((head, "dim"), (verdict, STYLES[verdict]), (text.removeprefix(verdict), "")))
        lines += more
    return lines
