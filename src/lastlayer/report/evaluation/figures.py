"""The figures of an evaluation: the reliability diagrams before and after, and a forest plot of the ladder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lastlayer.evaluation import Evaluation
from lastlayer.report.calibration_maps import NONE, map_name
from lastlayer.report.evaluation.ladder import Rung, rungs
from lastlayer.report.evaluation.numbers import loss_decimals
from lastlayer.report.figures import Figure, Panel
from lastlayer.report.figures.forest import WIDTH as FOREST_WIDTH
from lastlayer.report.figures.forest import ForestLine, forest
from lastlayer.report.figures.reliability import HEIGHT, WIDTH, Diagram, Frame, lowest
from lastlayer.report.tables.table import Cell, Head, Table
from lastlayer.study.statistics.corrected_t import Estimate
from lastlayer.words.lists import capital, listing, plural
from lastlayer.words.numbers import integer, number, share

Bin = Mapping[str, float]


def evaluation_figures(evaluation: Evaluation) -> list[Figure]:
    """What there is to draw."""
    figures = (reliability_figure(evaluation), ladder_figure(evaluation))
    return [figure for figure in figures if figure is not None]


def reliability_figure(evaluation: Evaluation) -> Figure | None:
    """Top probability and accuracy, bin by bin, over the band of a calibrated model; without and with the advised map."""
    before, after = list(evaluation.reliability), list(evaluation.reliability_after)
    if not before:
        return None
    found = rungs(evaluation)
    frame = Frame(lowest([(one["confidence"], one["accuracy"]) for one in (*before, *after)]))
    advised = next((rung for rung in found if rung.result.adopted), None)
    panels = [_diagram(before, "The model as it is", found[0], frame)]
    if after and advised is not None:
        panels.append(_diagram(after, f"With {map_name(advised.result.name)}", advised, frame, behind=before))
    behind = " The grey line behind the second diagram is the first one’s." if len(panels) > 1 else ""
    how = (
        "Each point is a bin of rows with like top probabilities: what the model says, and how often it is right. Points below the "
        "diagonal are overconfident, above it underconfident. The shaded band is where the points of a calibrated model would "
        f"lie in 95 of 100 cases, bin by bin.{behind} Probabilities of exactly 1 and other ties have a bin of their own."
    )
    return Figure("reliability", "Do the probabilities mean what they say?", _see(before, after), how, panels, "three")


def reliability_table(evaluation: Evaluation) -> Table | None:
    """The bins of the first diagram in numbers."""
    bins = evaluation.reliability
    if not bins:
        return None
    return Table(
        id="bins",
        caption="The bins of the model as it is",
        columns=["Right", "If calibrated", "Rows"],
        rows=[
            (
                Head(share(one["confidence"])),
                [
                    Cell(share(one["accuracy"]), one["accuracy"], tone=""),
                    Cell(f"{share(one['low'])} to {share(one['high'])}"),
                    Cell(integer(int(one["n"]))),
                ],
            )
            for one in bins
        ],
        corner="Says",
        kind="narrow",
    )


def ladder_figure(evaluation: Evaluation) -> Figure | None:
    """Differences to the model as it is; the log losses themselves where that of the model is infinite."""
    found = rungs(evaluation)
    others = [rung for rung in found if rung.result.name != NONE]
    if not others:
        return None
    decimals = loss_decimals(evaluation)
    if any(math.isfinite(rung.result.difference.value) for rung in others):
        lines = [_line(rung, decimals, is_difference=True) for rung in others]
        plot, height = forest(lines, reference=0.0, left_end="← better", right_end="worse →")
        title = "What each calibration map changes in the log loss"
        how = (
            "Each mark is the log loss under the map minus that of the model as it is, on rows that the map was not fitted to; the bar "
            "is the 95 % interval of the paired difference. Left of the dashed line is better."
        )
    else:
        lines = [_line(rung, decimals, is_difference=False) for rung in found]
        plot, height = forest(lines, reference=math.nan)
        title = "The log loss under each calibration map"
        how = (
            "Each mark is the log loss on rows that the map was not fitted to, the bar its 95 % interval. The differences cannot be drawn, "
            "because the log loss of the model as it is is infinite."
        )
    panel = Panel(
        kind="forest",
        title=title,
        description="; ".join(line.tooltip for line in lines),
        width=FOREST_WIDTH,
        height=height,
        drawing=plot,
    )
    return Figure("ladder", title, _who_is_better(others), how, [panel])


def _diagram(bins: Sequence[Bin], title: str, rung: Rung, frame: Frame, *, behind: Sequence[Bin] = ()) -> Panel:
    points, band = (
        _points(bins, frame),
        [one for one in bins if not math.isnan(one["low"]) and not math.isnan(one["high"])],
    )
    upper = [(frame.x.place(one["confidence"]), frame.y.place(one["high"])) for one in band]
    lower = [(frame.x.place(one["confidence"]), frame.y.place(one["low"])) for one in reversed(band)]
    said = ", ".join(f"{number(one['confidence'], 2)} right {number(one['accuracy'], 2)}" for one in bins)
    return Panel(
        kind="reliability",
        title=title,
        description=f"Stated and observed, bin by bin: {said}.",
        width=WIDTH,
        height=HEIGHT,
        drawing=Diagram(
            points=points,
            behind=_points(behind, frame),
            band=[*upper, *lower],
            x_ticks=frame.x.ticks(4),
            y_ticks=frame.y.ticks(4),
            x=frame.x,
            y=frame.y,
            words=("top probability", "accuracy"),
        ),
        mark=rung.mark,
        note=f"calibration error {number(rung.result.ece, 4)}, {_outside(bins)}",
    )


def _points(bins: Sequence[Bin], frame: Frame) -> list[tuple[float, float]]:
    return [(frame.x.place(one["confidence"]), frame.y.place(one["accuracy"])) for one in bins]


def _outside(bins: Sequence[Bin]) -> str:
    n = sum(one["accuracy"] < one["low"] or one["accuracy"] > one["high"] for one in bins)
    return f"{n} of {plural(len(bins), 'bin')} outside the band"


def _see(before: Sequence[Bin], after: Sequence[Bin]) -> str:
    text = f"As it is, {_outside(before)} of a calibrated model"
    return f"{text}; with the advised map, {_outside(after)}." if after else f"{text}."


def _line(rung: Rung, decimals: int, *, is_difference: bool) -> ForestLine:
    found = rung.result.difference if is_difference else rung.result.log_loss
    text = number(found.value, decimals, sign=is_difference)
    has_ends = math.isfinite(found.low) and math.isfinite(found.high)
    between = (
        f" ({number(found.low, decimals, sign=is_difference)} to {number(found.high, decimals, sign=is_difference)})"
        if has_ends
        else ""
    )
    return ForestLine(
        # A narrow column: the letter, not its name.
        name=rung.label.replace("alpha", "α"),
        mark=rung.mark,
        estimate=Estimate(found.value, found.low, found.high),
        value=text,
        tooltip=f"{rung.label}: {text}{between}{f', {rung.word}' if rung.word else ''}",
    )


def _who_is_better(others: Sequence[Rung]) -> str:
    sides = {tone: [rung.label for rung in others if rung.tone == tone] for tone in ("better", "worse", "")}
    words = (("better", "better than the model as it is"), ("worse", "worse"), ("", "not shown to differ"))
    parts = [f"{listing(sides[tone], at_most=6)}: {text}" for tone, text in words if sides[tone]]
    return f"{capital('; '.join(parts))}."
