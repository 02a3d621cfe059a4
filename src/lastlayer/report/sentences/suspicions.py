"""What makes a split of the data untrustworthy: leaks, groups, drift, duplicates, classes that hardly occur."""

from __future__ import annotations

from lastlayer.findings import Finding
from lastlayer.report.sentences.wording import Group, Wording
from lastlayer.words.lists import capital, listing, plural
from lastlayer.words.names import clipped
from lastlayer.words.numbers import integer, percent

#: Characters of a cell, and names, that a sentence has room for.
_CELL, _NAMES = 30, 4


def _names(names: list[str]) -> str:
    return listing([repr(name) for name in names], at_most=_NAMES)


def _identifies_rows(finding: Finding) -> str:
    facts = finding.facts
    how = "numbers the rows" if facts["is_ordered"] else "identifies the rows"
    text = (
        f"Column {facts['column']!r} {how}: it has {plural(facts['distinct'], 'value')} in "
        f"{plural(facts['rows'], 'row')}, such as {clipped(facts['example'], _CELL)!r}."
    )
    if facts["predicts"]:
        text += (
            f" By itself it predicts {percent(facts['accuracy'])} of the rows from their neighbours, where the largest class "
            f"has {percent(facts['chance'])}: the rows were numbered in an order that gives the target away, so the results are "
            "too good."
        )
    return text


def _without_identifier(finding: Finding) -> str:
    column = finding.facts["column"]
    return f"A new row has a new value, so leave the column out with --drop {column!r}."


def _determines_target(finding: Finding) -> str:
    facts = finding.facts
    if facts["is_code"]:
        and_back = ", and each class one value" if facts["values"] == facts["classes"] else ""
        text = f"Column {facts['column']!r} is a code of the target: each of its values has one class{and_back}"
    else:
        text = f"Column {facts['column']!r} gives the target away: by itself it predicts {percent(facts['accuracy'])} of the rows"
    if facts["others"] is None:
        return f"{text}."
    return f"{text}. All other columns together reach a balanced accuracy of {percent(facts['others'])}."


def _without_leak(finding: Finding) -> str:
    column = finding.facts["column"]
    return (
        f"If its value is known only with the target or after it, leave it out with --drop {column!r}; if it is known before, "
        "this column answers the question, and no model is needed."
    )


def _duplicate_rows(finding: Finding) -> str:
    facts = finding.facts
    rows = listing([str(row) for row in facts["example"]])
    return (
        f"{integer(facts['in_copies'])} of {plural(facts['rows'], 'row')} ({percent(facts['share'])}) occur more than once, target "
        f"included, and far more often than chance makes rows equal; rows {rows}, for example. Copies fall into training and "
        "test rows alike, so the results can be too good."
    )


def _without_copies(finding: Finding) -> str:
    return "Keep one row of each, or give a column that is the same in all copies of a row with --groups COLUMN."


def _repeats_like_groups(finding: Finding) -> str:
    facts = finding.facts
    alike = {"the same class": facts["target_alike"], "like values in the other columns": facts["features_alike"]}
    shared = [what for what, value in alike.items() if value >= _SHOWN]
    text = (
        f"The {plural(facts['groups'], 'value')} of column {facts['column']!r} group the rows, typically "
        f"{facts['typical']:g} rows each: rows of one value mostly have {' and '.join(shared) or 'the same class'}. A random split "
        "puts rows of one group into training and test rows, so the results hold for groups that are known already, not for "
        "new ones."
    )
    return text + (f" The same holds for {_names(facts['others'])}." if facts["others"] else "")


#: Likeness from which a sentence names it.
_SHOWN = 0.4


def _by_group(finding: Finding) -> str:
    column = finding.facts["column"]
    return (
        f"If the model is for new values of {column!r}, use --groups {column!r}; if the column only says the class in other words, "
        f"use --drop {column!r}."
    )


def _near_copies(finding: Finding) -> str:
    facts = finding.facts
    where = ", and they follow each other in the table" if facts["adjacent"] >= 0.8 else ""
    return (
        f"Rows come in groups of near copies, although no column names the groups: {percent(facts['share'])} of the rows have "
        f"others that are at least {facts['factor']:.1f} times as close as the next row, typically {facts['typical']:g} together"
        f"{where}. {percent(facts['target_alike'])} of these have the same class, where chance gives {percent(facts['chance'])}. "
        "Such copies fall into training and test rows alike, so the results can be too good."
    )


def _with_groups(finding: Finding) -> str:
    return "If rows come from the same patient, session or source, add a column that says from which, and use --groups COLUMN."


def _drift(finding: Finding, along: str, parts: str, condition: str = "") -> str:
    facts = finding.facts
    columns = f" (most of all {_names(facts['columns'])})" if facts["columns"] else ""
    if not facts["is_relation"]:
        return (
            f"The features change with {along}{columns}: a linear model tells the {parts} apart with a ROC AUC of "
            f"{facts['auc']:.2f}. {capital(condition + 'later rows will differ from the test rows of a shuffled split.')}"
        )
    shift = f" The features change as well{columns}, with a ROC AUC of {facts['auc']:.2f}." if facts["is_shift"] else ""
    return (
        f"What predicts the target changes with {along}. A linear model that learns from one half of the rows and is tested on the "
        f"other has a balanced accuracy of {percent(facts['shuffled'])} if the halves are drawn at random, and of "
        f"{percent(facts['ordered'])} if they are the {parts}.{shift} {capital(condition + 'a shuffled split is too good for later rows.')}"
    )


def _drifts_with_date(finding: Finding) -> str:
    facts = finding.facts
    along = f"the date in column {facts['column']!r}"
    texts = []
    if facts["share"]:
        name, early, late = facts["share"]
        texts.append(
            f"Class {name!r} has {percent(early)} of the earlier half of the rows by {along}, and {percent(late)} of the later half."
        )
    if facts["is_relation"] or facts["is_shift"]:
        texts.append(_drift(finding, along, "earlier and the later half"))
    return " ".join(texts)


def _by_time(finding: Finding) -> str:
    return f"To test on later rows than the training rows, use --time {finding.facts['column']!r}."


def _drifts_with_row_order(finding: Finding) -> str:
    return _drift(finding, "the order of the rows", "first and the last half", "if that is the order of time, ")


def _by_order(finding: Finding) -> str:
    return (
        "Add a column with the time, and use --time COLUMN; or, if the rows are sorted by where they come from, a column with that, "
        "and use --groups COLUMN."
    )


def _class_dominates(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"Class {facts['class']!r} has {percent(facts['share'])} of the rows, and {plural(facts['others'], 'row')} "
        f"{'has' if facts['others'] == 1 else 'have'} another. Always answering it has that accuracy, and the class frequencies have a Brier score of "
        f"{facts['brier']:.2g}, so accuracy and Brier score say little."
    )


def _look_at_recall(finding: Finding) -> str:
    return "Look at average precision, and at the recall of the rare classes."


def _class_hardly_occurs(finding: Finding) -> str:
    facts = finding.facts
    classes = [f"{name!r} ({plural(count, 'row')})" for name, count in facts["classes"]]
    classes += [f"{facts['more']} more"] if facts["more"] else []
    return (
        f"{'Class' if len(classes) == 1 else 'Classes'} {listing(classes)} hardly {'occurs' if len(classes) == 1 else 'occur'}: "
        f"with {facts['folds']} folds the rarest has about {facts['test_rows']:.2g} test rows in each, so its recall moves in "
        "large steps and is mostly chance."
    )


def _with_more_of_it(finding: Finding) -> str:
    return "Add rows of it, or leave out rare classes with --min-class N."


def _few_rows(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"{plural(facts['rows'], 'row')} in {plural(facts['classes'], 'class', 'classes')} (the rarest, {facts['rarest']!r}, has "
        f"{facts['rarest_rows']}) decide little: if two mappings answer one row in {1 / facts['disagree']:g} differently, a "
        f"difference in accuracy below {percent(facts['detectable'])} is missed more often than one time in five."
    )


def _with_more_rows(finding: Finding) -> str:
    return "Add rows; more repeats or folds do not make up for them."


def _more_columns_than_rows(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"There are more columns ({integer(facts['columns'])}) than rows ({integer(facts['rows'])}), so a linear model can fit any "
        "labels of its training rows; what it is worth depends on the regularization (C)."
    )


def _with_fewer_columns(finding: Finding) -> str:
    return "Choosing columns by their relation to the target before the study would make its results too good."


#: The code of a finding → its wording.
SENTENCES: dict[str, Wording] = {
    "identifies_rows": Wording(Group.WARNING, _identifies_rows, _without_identifier),
    "determines_target": Wording(Group.WARNING, _determines_target, _without_leak),
    "repeats_like_groups": Wording(Group.WARNING, _repeats_like_groups, _by_group),
    "near_copies": Wording(Group.WARNING, _near_copies, _with_groups),
    "duplicate_rows": Wording(Group.WARNING, _duplicate_rows, _without_copies),
    "drifts_with_date": Wording(Group.WARNING, _drifts_with_date, _by_time),
    "drifts_with_row_order": Wording(Group.WARNING, _drifts_with_row_order, _by_order),
    "class_dominates": Wording(Group.WARNING, _class_dominates, _look_at_recall),
    "few_rows": Wording(Group.WARNING, _few_rows, _with_more_rows),
    "class_hardly_occurs": Wording(Group.DATA, _class_hardly_occurs, _with_more_of_it),
    "more_columns_than_rows": Wording(Group.DATA, _more_columns_than_rows, _with_fewer_columns),
}
