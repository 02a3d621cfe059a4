"""How a study was done, said from its settings, a paragraph per step; and what was left out."""

from __future__ import annotations

from lastlayer.findings.metrics import METRICS
from lastlayer.mappings import MAPPINGS
from lastlayer.report.mappings import records
from lastlayer.report.reading import Reading
from lastlayer.words.lists import listing, plural
from lastlayer.words.names import shorten
from lastlayer.words.numbers import compact, integer, seconds
from lastlayer.words.printable import clean


def method_paragraphs(reading: Reading) -> list[tuple[str, str]]:
    """(heading, text) of each step."""
    steps = [
        ("Splits", _splits(reading)),
        ("Model", _model(reading)),
        ("Choice of C", _strength(reading)),
        ("Baselines", _BASELINES if reading.baselines else ""),
        ("Comparisons", _comparisons(reading)),
        ("Intervals", _intervals(reading)),
        ("Power", _POWER if any(row.comparisons for row in reading.rows) else ""),
        ("Rows outside a domain", _OUTSIDE),
        ("Time", _time(reading)),
    ]
    return [(heading, text) for heading, text in steps if text]


_OUTSIDE = (
    "Some mappings do not accept every score: the ratio wants scores that are not negative. A test row outside the domain "
    "counts as wrong in accuracy, 2 in the Brier score and infinite in the log loss."
)
_BASELINES = (
    "Class frequencies, logistic regression and boosted trees show what the numbers are worth. They are fitted on the same "
    "encoded features, on the splits of the first repeat, without any choice of settings. They have no verdicts."
)
_POWER = (
    "The difference that would have been noticed is the one that the corrected t, after Holm’s correction, finds in "
    "four of five studies like this (power 80 %). A smaller one may be there unseen."
)


def data_sentence(reading: Reading) -> str:
    """Rows, classes and features."""
    results = reading.results
    encoded = ""
    if results.n_encoded_features != results.n_features:
        encoded = f", which became {integer(results.n_encoded_features)} numeric ones"
    return f"{_counts(reading)} {plural(results.n_features, 'feature')}{encoded}."


def _counts(reading: Reading) -> str:
    results = reading.results
    names, counts = results.class_names, results.class_counts
    if not counts:
        return f"{plural(results.n_samples, 'row')}."
    if len(counts) <= 12:
        each = listing([f"{shorten(clean(n), 30)} ({integer(c)})" for n, c in zip(names, counts, strict=False)])
        return f"{plural(results.n_samples, 'row')}; classes {each}."
    least, most = counts.index(min(counts)), counts.index(max(counts))
    return (
        f"{plural(results.n_samples, 'row')}; {integer(len(counts))} classes of {integer(counts[least])} "
        f"({shorten(clean(names[least]), 30)}) to {integer(counts[most])} ({shorten(clean(names[most]), 30)}) rows."
    )


def _splits(reading: Reading) -> str:
    settings = reading.results.settings
    same = "They are the same for every mapping. Features, imputation and scaling are fitted inside each training part, once for all mappings."
    if settings.time is not None:
        order = f"{plural(reading.n_fits, 'split')} in the order of {_column(settings.time)}: each trains on earlier rows and tests on later ones"
        together = f", without the groups of {_column(settings.groups)} that are tested" if settings.groups else ""
        return f"{order}{together}. {same}"
    kind = "stratified fold"
    together = ""
    if settings.groups is not None:
        kind = "fold"
        together = f" Rows with the same {_column(settings.groups)} stay in one fold; the classes are spread as evenly as that allows."
    return (
        f"{plural(settings.folds, kind)}, {plural(settings.repeats, 'repeat')}, seed {settings.seed}.{together} {same}"
    )


def _column(name: str | None) -> str:
    return f"‘{shorten(clean(name), 40)}’"


def _model(reading: Reading) -> str:
    splines = ""
    if reading.results.settings.splines:
        splines = " Numbers became splines, so that the boundary can bend."
    return (
        "A linear model with an L2 penalty on the weights. Each mapping is trained by its own loss, so a row of the table "
        f"changes mapping and loss together.{splines}"
    )


def _strength(reading: Reading) -> str:
    settings = reading.results.settings
    if settings.C is not None:
        return f"C was fixed at {compact(settings.C)} for every mapping."
    grid = ""
    if settings.grid:
        grid = (
            f" The grid has {plural(len(settings.grid), 'value')} between {compact(min(settings.grid))} and "
            f"{compact(max(settings.grid))}, the same for every mapping."
        )
    at_edge = [row.name for row in reading.rows if row.count_true("C_at_edge")]
    edge = f"Some choices were at its edge: {listing(at_edge)}." if at_edge else "No choice was at its edge."
    return (
        "C, the inverse strength of the penalty, was chosen for each mapping inside each training part, by inner "
        "cross-validation that splits as the study does: the smallest C, hence the strongest penalty, whose loss is within one "
        "standard error of the least (Breiman et al. 1984) and gives up at most 5 % of the gain over the class frequencies. That "
        "loss is the mean of Brier score and log loss, each divided by that of the class frequencies, and the Brier score alone "
        f"where a mapping can give probability zero.{grid} {edge}"
    )


def _intervals(reading: Reading) -> str:
    return (
        f"The {100 * reading.results.settings.level:g} % intervals are from the corrected t of repeated cross-validation "
        f"(Nadeau & Bengio): the variance s² of the kr = {reading.n_fits} fits times (1/(kr) + n_test/n_train), kr − 1 degrees "
        "of freedom, clipped to the range of the metric. They are approximate: the fits share their training rows."
    )


def _comparisons(reading: Reading) -> str:
    settings = reading.results.settings
    return (
        "Each mapping is compared with softmax split by split, by the same corrected t, and the p-values of one metric are "
        "corrected for the number of mappings by Holm’s method. An interval wholly inside the margin"
        f"{_margins(settings.margin)} makes “equal”, whatever the p-value: a difference may be certain and too small to matter. "
        f"Otherwise a corrected p-value below {1 - settings.level:.2g} makes “better” or “worse”, and all else is “cannot be told apart”."
    )


def _margins(margins: dict[str, float]) -> str:
    named = [f"{metric.name} ±{margins[metric.key]:.2g}" for metric in METRICS.values() if metric.key in margins]
    return f" ({listing(named)})" if named else ""


def _time(reading: Reading) -> str:
    """What took how long, and what the clock cut."""
    rows = [*reading.rows, *reading.baselines]
    spent = {row.name: sum(row.sum(name) for name in ("fit_seconds", "search_seconds")) for row in rows}
    slowest = max(spent, key=spent.__getitem__, default="")
    parts = []
    if spent and spent[slowest] > 0:
        parts.append(
            f"All fits together took {seconds(sum(spent.values()))} of one process, {seconds(spent[slowest])} of it for {slowest}."
        )
    # A baseline's mark says that it was fitted to a sample of the rows, which a finding tells.
    short = [f"{row.name} ({row.count_true('is_cut_short')})" for row in reading.rows if row.count_true("is_cut_short")]
    if short:
        parts.append(f"Fits that stopped at a limit on work, and may do a little better than shown: {listing(short)}.")
    limit = reading.results.settings.time_limit
    if limit is not None:
        parts.append(f"No fit was started after {seconds(limit)} (--time-limit).")
    return " ".join(parts)


def left_out(reading: Reading) -> list[tuple[str, str]]:
    """(mapping, why) of the built-in mappings that were not studied, except those that a finding tells."""
    told = {f.mapping for f in reading.results.findings if f.code == "mapping_left_out"}
    studied = {record.name for record in records(reading.rows).values()} | {row.label for row in reading.rows}
    return [
        (name, record.study_note or "It was not among the mappings asked for.")
        for name, record in MAPPINGS.items()
        if name not in studied | told
    ]
