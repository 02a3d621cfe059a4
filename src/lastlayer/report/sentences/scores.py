"""What an evaluation found in its file of scores and labels: what the numbers are, rows left out, and what looks wrong."""

from __future__ import annotations

import math
from typing import Any

from lastlayer.findings import Finding
from lastlayer.report.sentences.wording import Group, Wording
from lastlayer.words.lists import listing, plural
from lastlayer.words.names import clipped
from lastlayer.words.numbers import number, p_value, percent

#: Characters of a class's name that a sentence has room for.
_CLASS = 40


def _fact(finding: Finding, key: str) -> float:
    """A number; JSON holds what is missing as null and an infinity as text."""
    value: Any = finding.facts.get(key)
    return math.nan if value is None or value == "" else float(value)


def _row(finding: Finding) -> str:
    return f"row {finding.facts['row']}, counted from 0"


def _classes(names: list[str]) -> str:
    return listing([repr(clipped(str(name), _CLASS)) for name in names], at_most=8)


def _probabilities(finding: Finding) -> str:
    return "The numbers were taken for probabilities: all are between 0 and 1, and a row of them sums to one."


def _as_scores(finding: Finding) -> str:
    return "If they are scores (logits), say so with --as scores."


def _sigmoids(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"All numbers are between 0 and 1, but the rows sum to {facts['low_sum']:.3g} to {facts['high_sum']:.3g}: they look like one "
        "sigmoid per class, and not like the probabilities of classes that exclude each other."
    )


def _before_the_sigmoid(finding: Finding) -> str:
    return "Give the scores (logits) from before the sigmoid; if a row may have several labels, evaluate each class by itself."


def _rows_do_not_sum_to_one(finding: Finding) -> str:
    facts = finding.facts
    decimals = facts.get("decimals")
    why = "" if decimals is None else f"The numbers are rounded to {plural(decimals, 'decimal')}. "
    return (
        f"{_of(facts['rows'], facts['of'])} nearly sum to one; the largest error is {facts['largest_error']:.2g} "
        f"(in {_row(finding)}, which sums to {facts['sum']:.6g}). {why}Each row was divided by its sum."
    )


def _of(rows: int, of: int) -> str:
    return f"All {plural(of, 'row')} only" if rows == of else f"{rows} of {plural(of, 'row')} only"


def _without_rounding(finding: Finding) -> str:
    if finding.facts.get("decimals") is None:
        return "Find out why the model’s probabilities do not sum to one, or give the scores (logits)."
    return "Write the probabilities with more digits, or give the scores (logits)."


def _zero_probability(finding: Finding) -> str:
    facts = finding.facts
    entries = plural(facts["entries"], "probability", "probabilities")
    text = f"{entries} in {plural(facts['rows'], 'row')} {'is' if facts['entries'] == 1 else 'are'} exactly 0."
    if not facts["label_rows"]:
        return f"{text} None of them is that of a true class, so the log loss is finite, but one new row can make it infinite."
    return (
        f"{text} In {plural(facts['label_rows'], 'row')} the true class has probability 0, as in {_row(finding)}, and the log loss "
        "is infinite. The calibration maps raise given probabilities of 0 to a small floor, and keep scores of −inf as they are."
    )


def _with_scores(finding: Finding) -> str:
    return (
        "Give finite scores (logits), or probabilities that are not rounded to 0; the score −inf is the probability 0."
    )


def _nan_rows(finding: Finding) -> str:
    if finding.facts["rows"] == 1:
        return f"A row has NaN among its scores and was left out: {_row(finding)}."
    return (
        f"{plural(finding.facts['rows'], 'row')} have NaN among their scores and were left out; one is {_row(finding)}."
    )


def _other_rows_alone(finding: Finding) -> str:
    return "The answer holds for the other rows alone; find out why the model gives no number there."


def _rows_without_label(finding: Finding) -> str:
    rows = finding.facts["rows"]
    return f"{plural(rows, 'row')} without a label (empty, or −100) {'was' if rows == 1 else 'were'} left out."


def _labels_off_by_one(finding: Finding) -> str:
    facts = finding.facts
    if facts.get("read_as") == "from_one":
        return (
            f"The labels go from {facts['least']} to {facts['most']} and there are {facts['classes']} classes, so they were taken as "
            "counted from 1."
        )
    shifted, accuracy, shift = (_fact(finding, key) for key in ("shifted_accuracy", "accuracy", "shift"))
    if math.isnan(shifted):
        return (
            f"The labels go from {facts['least']} to {facts['most']}, and there are {facts['classes']} classes, counted from 0: they look "
            "shifted by one."
        )
    by = f" by {number(shift, 0, sign=True)}" if math.isfinite(shift) else " by one"
    return (
        f"The labels look shifted: with all of them moved{by} the accuracy is {percent(shifted)}, and as they are it is "
        f"{percent(accuracy)}."
    )


def _look_at_first_class(finding: Finding) -> str:
    if finding.facts.get("read_as") == "from_one":
        return (
            "If they are counted from 0 and class 0 does not occur, add a row of it or name the classes with --classes."
        )
    return "Count the labels from 0, in the order of the columns, or name the classes with --classes."


def _is_shifted(finding: Finding) -> bool:
    """Labels from 1 to K can be read in one way only; any other shift is a suspicion."""
    return finding.facts.get("read_as") != "from_one"


def _labels_sorted(finding: Finding) -> str:
    return (
        "The columns have no names, so the classes among the labels were taken in sorted order as the columns’: "
        f"{_classes(list(finding.facts['classes']))}."
    )


def _name_the_classes(finding: Finding) -> str:
    return "If the columns are in another order, give it with --classes A,B,C."


def _columns_left_out(finding: Finding) -> str:
    names = list(finding.facts["columns"])
    return (
        f"{'Column' if len(names) == 1 else 'Columns'} {_classes(names)} {'was' if len(names) == 1 else 'were'} taken for something other "
        "than a class, such as row numbers, labels or folds, and left out."
    )


def _as_a_class(finding: Finding) -> str:
    return "If one of them is a class, give the scores of all classes in a file without other columns, such as a .npy file."


def _class_absent(finding: Finding) -> str:
    names, more = list(finding.facts["classes"]), int(finding.facts.get("more") or 0)
    shown = [repr(clipped(str(name), _CLASS)) for name in names] + ([f"{more} more"] if more else [])
    is_one = len(names) + more == 1
    return (
        f"{'Class' if is_one else 'Classes'} {listing(shown)} {'does' if is_one else 'do'} not occur among the labels, so nothing is "
        f"known of {'its' if is_one else 'their'} probabilities."
    )


def _with_rows_of_it(finding: Finding) -> str:
    return "Add rows of every class, or check that the labels and the columns name the same classes."


def _few_rows(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"{plural(facts['rows'], 'row')} in {plural(facts['classes'], 'class', 'classes')} decide little: the intervals are wide, and a "
        "poor calibration can pass unseen."
    )


def _with_more_rows(finding: Finding) -> str:
    return "Add rows."


def _double_softmax(finding: Finding) -> str:
    before, undone = _fact(finding, "log_loss"), _fact(finding, "undone_log_loss")
    if finding.facts.get("are_probabilities"):
        return (
            "The numbers that were taken for scores are probabilities, so softmax would be applied a second time. As probabilities their "
            f"log loss is {number(undone, 4)}, and as scores {number(before, 4)}."
        )
    seems = (
        "Softmax seems to have been applied twice: the numbers before the last softmax, recovered from these, are probabilities too, and "
        "go down to 0."
    )
    if undone > before:
        return f"{seems} They are overconfident, but with a temperature they predict better than these with one."
    return f"{seems} Without the second softmax the log loss is {number(undone, 4)}, and with it {number(before, 4)}."


def _without_second_softmax(finding: Finding) -> str:
    if finding.facts.get("are_probabilities"):
        return "Say that they are probabilities: --as probabilities."
    return (
        "Give the scores (logits) from before the first softmax, and remove the second one from the code that predicts. If the model "
        "applies softmax only once, ignore this warning."
    )


def _below_chance(finding: Finding) -> str:
    accuracy, chance, permuted = (_fact(finding, key) for key in ("accuracy", "chance", "permuted_accuracy"))
    p = p_value(_fact(finding, "p"))
    text = f"The accuracy is {percent(accuracy)}"
    if accuracy < chance:
        text += f", below the {percent(chance)} of chance{f' ({p})' if p else ''}"
    if math.isfinite(permuted):
        return (
            f"{text}; with the columns in another order it would be {percent(permuted)}, so the columns seem to be in another order "
            "than the labels."
        )
    return f"{text}: the columns may be in another order than the labels, or the scores have the wrong sign."


def _check_the_order(finding: Finding) -> str:
    return "Check the order of the columns, and give it with --classes A,B,C."


#: The code of a finding → its wording.
SENTENCES: dict[str, Wording] = {
    "double_softmax": Wording(Group.WARNING, _double_softmax, _without_second_softmax),
    "sigmoids": Wording(Group.WARNING, _sigmoids, _before_the_sigmoid),
    "labels_off_by_one": Wording(Group.DATA, _labels_off_by_one, _look_at_first_class, _is_shifted),
    "below_chance": Wording(Group.WARNING, _below_chance, _check_the_order),
    "few_rows": Wording(Group.WARNING, _few_rows, _with_more_rows),
    "probabilities": Wording(Group.DATA, _probabilities, _as_scores),
    "rows_do_not_sum_to_one": Wording(Group.DATA, _rows_do_not_sum_to_one, _without_rounding),
    "zero_probability": Wording(Group.DATA, _zero_probability, _with_scores),
    "nan_rows": Wording(Group.DATA, _nan_rows, _other_rows_alone),
    "rows_without_label": Wording(Group.DATA, _rows_without_label),
    "labels_sorted": Wording(Group.DATA, _labels_sorted, _name_the_classes),
    "columns_left_out": Wording(Group.DATA, _columns_left_out, _as_a_class),
    "class_absent": Wording(Group.DATA, _class_absent, _with_rows_of_it),
}
