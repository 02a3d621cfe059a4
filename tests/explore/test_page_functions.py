"""The page's functions against the library: 2000 rows under every mapping, the losses, and the claims on 500 rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from page_browser import ask, opened_browser, written_page
from page_rows import ON_PAGE, rows

import lastlayer as ll
from lastlayer.comparison import compare
from lastlayer.comparison.claims import turning_scale
from lastlayer.mappings import MAPPINGS
from lastlayer.words.claims import CLAIMS

pytestmark = pytest.mark.browser

ROWS = rows(2000)
NAMES = [*ON_PAGE, "entmax:alpha=1", "entmax:alpha=1.3", "entmax:alpha=2", "taylor:order=6"]
ACTIVATIONS: tuple[dict[str, float], ...] = (
    {},
    {"softcap": 1.0},
    {"temperature": 0.5},
    {"softcap": 3.0, "temperature": 2.0},
)
#: A class whose probability is about 1: 1 − p has no digits if it is computed so.
CANCELLING = ((1e12, 1e-6), (1e16, 1.0, 2.0), (1e9, 1e-6), (30.0, 0.0), (40.0, 1.0, 2.0))
ABSOLUTE, RELATIVE = 1e-15, 2e-13
#: Numbers below this have fewer than 53 bits.
SUBNORMAL = 1e-300


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = written_page(tmp_path_factory.mktemp("explore"))
    with opened_browser() as browser:
        opened = browser.new_page()
        opened.goto(path.as_uri())
        yield opened


def disagreement(
    found: Any, expected: Any, *, absolute: float = float("inf"), relative: float = RELATIVE, slack: float = SUBNORMAL
) -> str:
    """What is wrong with `found`, which should be the numbers `expected`, or null where those are NaN; "" if nothing is."""
    expected = np.atleast_1d(np.asarray(expected, dtype=float))
    if np.isnan(expected).any():
        return "" if found is None else f"{found} where there is no answer"
    if found is None:
        return f"no answer where there is {expected}"
    found = np.atleast_1d(np.asarray(found, dtype=float))
    if found.shape != expected.shape or np.isnan(found).any():
        return f"{found} is not {expected}"
    same = found == expected
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.where(same, 0.0, np.abs(found - expected))
        allowed = np.minimum(absolute, relative * np.abs(expected) + slack)
    return "" if (error <= allowed).all() else f"{found} is not {expected}: off by {error.max()}"


def test_the_comparison_finds_what_is_wrong() -> None:
    right = [0.75, 0.25]
    assert disagreement(right, right, absolute=ABSOLUTE) == ""
    for wrong in ([0.75 + 2e-15, 0.25], [0.25, 0.75], [0.75], None, [0.75, float("nan")], [0.75, 0.25 * (1 + 1e-12)]):
        assert disagreement(wrong, right, absolute=ABSOLUTE)
    assert disagreement([1.0, 1e-20 * (1 + 1e-12)], [1.0, 1e-20], absolute=ABSOLUTE)
    assert disagreement(right, [np.nan, np.nan])


def test_the_mappings_of_the_page(page: Any) -> None:
    assert page.evaluate("Object.keys(LL.MAPPINGS)") == list(ON_PAGE)
    assert set(ON_PAGE) <= set(MAPPINGS)


@pytest.mark.parametrize("name", NAMES)
def test_probabilities(page: Any, name: str) -> None:
    found = ask(page, "lastlayer.probabilities", [[name, row] for row in ROWS])
    with np.errstate(all="ignore"):
        expected = [ll.probabilities(np.array(row), mapping=name, on_domain="nan") for row in ROWS]
    wrong = {i: text for i in range(len(ROWS)) if (text := disagreement(found[i], expected[i], absolute=ABSOLUTE))}
    assert not wrong, [(ROWS[i], text) for i, text in list(wrong.items())[:3]]
    assert sum(p is not None for p in found) > 200


@pytest.mark.parametrize("name", NAMES)
def test_losses_and_gradients(page: Any, name: str) -> None:
    """Every class takes its turn as the true one."""
    labels = [i % len(row) for i, row in enumerate(ROWS)]
    calls = [[name, row, label] for row, label in zip(ROWS, labels, strict=True)]
    losses, gradients = (ask(page, function, calls) for function in ("lastlayer.loss", "LL.gradient"))
    for row, label, loss, gradient in zip(ROWS, labels, losses, gradients, strict=True):
        with np.errstate(all="ignore"):
            batch, labels_ = np.array([row]), np.array([label])
            value, grad = ll.loss_and_grad(batch, labels_, mapping=name, on_domain="nan", reduction="none")
        assert not disagreement(loss, value), (row, label)
        # The slopes of the ratio at subnormal scores, 1/x, overflow.
        if 0 < np.max(np.abs(row)) < SUBNORMAL:
            continue
        assert not disagreement(gradient, grad[0]), (row, label)


@pytest.mark.parametrize("activation", ACTIVATIONS[1:])
def test_softcap_and_temperature(page: Any, activation: dict[str, float]) -> None:
    some = [row for row in ROWS if SUBNORMAL < np.max(np.abs(row)) < 1e3][:150]
    for name in ON_PAGE:
        calls = [[name, row, len(row) - 1, activation] for row in some]
        found = ask(page, "LL.gradient", calls), ask(page, "lastlayer.loss", calls)
        probabilities = ask(page, "lastlayer.probabilities", [[name, row, activation] for row in some])
        for row, gradient, loss, p in zip(some, *found, probabilities, strict=True):
            expected = compare(row, label=len(row) - 1, mappings=[name], **activation).rows[0]
            if not expected.defined:
                assert (p, loss, gradient) == (None, None, None), (name, row)
                continue
            # Two tanh differ in their last bit, and a mapping may cancel the others: 1 + x at −1, max − x at the cap.
            assert not disagreement(p, expected.probabilities, relative=1e-11, slack=1e-14), (name, row)
            assert not disagreement(loss, expected.losses[-1], relative=1e-11, slack=1e-14), (name, row)
            assert not disagreement(gradient, expected.gradient, relative=1e-11, slack=1e-14), (name, row)


def test_log_sum_and_turning_scale(page: Any) -> None:
    finite = [row for row in ROWS if np.isfinite(row).all()]
    sums = ask(page, "LL.logsumexp", [[row] for row in finite])
    for row, found in zip(finite, sums, strict=True):
        assert not disagreement(found, ll.logsumexp(np.array(row))), row
    turning = [row for row in finite if min(row) >= 0 and min(row) < max(row) < 1e300]
    for row, found in zip(turning, ask(page, "LL.turning", [[row] for row in turning]), strict=True):
        expected = turning_scale(np.array(row))
        assert (found is None) == (expected is None), row
        assert expected is None or not disagreement(found, expected), row
    assert len(turning) > 300


def test_claims(page: Any) -> None:
    """The same verdicts, in the same words, with the same numbers to three digits."""
    questions = [
        (row, None if i % 3 == 0 else i % len(row), ACTIVATIONS[0 if i % 2 else i // 2 % 4])
        for i, row in enumerate(rows(500, seed=1))
    ] + [(list(row), 0, {}) for row in CANCELLING]
    found = ask(page, "lastlayer.claims", [list(question) for question in questions])
    verdicts: Counter[tuple[str, str]] = Counter()
    for (row, label, activation), claims in zip(questions, found, strict=True):
        expected = compare(row, label=label, mappings=["softmax"], **activation).claims
        assert [claim["name"] for claim in claims] == [claim.name for claim in expected]
        for claim, theirs in zip(claims, expected, strict=True):
            where = (row, label, activation, claim["name"], claim["evidence"], theirs.evidence)
            verdicts[claim["name"], claim["here"]] += 1
            assert claim["here"] == theirs.here, where
            # Only Python holds the derivatives against difference quotients.
            assert same_words(claim["evidence"], re.sub(r" Difference quotients.*$", "", theirs.evidence)), where
    seen = {name: {verdict for claim, verdict in verdicts if claim == name} for name, _ in verdicts}
    assert set(seen) == {claim.name for claim in CLAIMS}
    assert all(len(values) > 1 for values in seen.values()), seen


NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"


def same_words(one: str, other: str) -> bool:
    """Whether the texts differ at most in the last digits of their numbers."""
    if re.sub(NUMBER, "#", one) != re.sub(NUMBER, "#", other):
        return False
    pairs = zip(re.findall(NUMBER, one), re.findall(NUMBER, other), strict=True)
    return all(abs(float(a) - float(b)) <= 1.01 * min(last_place(a), last_place(b)) for a, b in pairs)


def last_place(number: str) -> float:
    """One unit of the last digit that is printed; of four digits if trailing zeros were cut off.

    >>> last_place("0.6225"), last_place("1e-30"), last_place("0.5"), last_place("1234")
    (0.0001, 1e-33, 0.0001, 1.0)
    """
    mantissa, _, power = number.partition("e")
    before = len(mantissa.partition(".")[0].lstrip("-"))
    leading = len(re.match(r"-?0?\.?(0*)", mantissa)[1]) if abs(float(mantissa)) < 1 else 0  # type: ignore[index]
    digits = before - 1 if abs(float(mantissa)) >= 1 else -1 - leading
    decimals = min(len(mantissa.partition(".")[2]), 4) if float(mantissa) == 0 else 3 - digits
    return float(f"1e{int(power or 0) - max(decimals, 0)}")


def test_words_that_differ_are_found() -> None:
    assert same_words("gives 0.6225 and 1e-30", "gives 0.6226 and 1e-30")
    assert same_words("0.5 and -3", "0.4999 and -3.001")
    for wrong in (
        "gives 0.6228 and 1e-30",
        "gives 0.6225 and 0",
        "gives 0.6225 and 1.1e-30",
        "gives -0.6225 and 1e-30",
    ):
        assert not same_words("gives 0.6225 and 1e-30", wrong)


def test_the_functions_that_the_page_offers(page: Any) -> None:
    answers = page.evaluate(
        """[lastlayer.probabilities('ratio', [1, -1]), lastlayer.probabilities('softmax', [0, 0]), lastlayer.loss('ratio', [-1, 2], 0),
        lastlayer.probabilities('softmax', Float64Array.of(0, 0)), lastlayer.loss('hardmax', [2, 1], 1),
        lastlayer.claims([1, 0.5]).map(claim => [claim.name, claim.here])]"""
    )
    assert answers[:5] == [None, [0.5, 0.5], None, [0.5, 0.5], 1]
    assert answers[5] == [[claim.name, claim.here] for claim in compare([1.0, 0.5]).claims]


def test_what_is_no_question(page: Any) -> None:
    assert ask(page, "lastlayer.claims", [[[]]]) == [None]
    assert ask(page, "lastlayer.probabilities", [["softmax", []], ["softmax", [None, 1.0]]]) == [None, None]
    assert page.evaluate("lastlayer.probabilities('softmax', [NaN, 1])") is None
    assert page.evaluate("lastlayer.loss('ratio', [2, -1, .5], 0)") is None
    assert page.evaluate("lastlayer.loss('softmax', [2, 1], 2)") is None
    assert page.evaluate("lastlayer.claims([NaN, 1]).every(claim => claim.here === 'not tested')")
    assert page.evaluate("[7, -1, 0.5, 'length', '0'].map(label => lastlayer.claims([1, 2], label))") == [None] * 5
    assert (
        page.evaluate("[7, -1, 0.5, 'length', null].map(label => lastlayer.loss('softmax', [1, 2], label))")
        == [None] * 5
    )
    assert page.evaluate("lastlayer.probabilities('softmax', [1, null])") is None
    for call, words in (
        ("lastlayer.probabilities('sotfmax', [1])", ("sotfmax", "sparsemax")),
        ("lastlayer.probabilities('entmax:alpha=0.5', [1, 2])", ("alpha is 0.5",)),
        ("lastlayer.probabilities('constructor', [1])", ("no mapping constructor",)),
        ("lastlayer.probabilities('__proto__', [1])", ("no mapping __proto__",)),
        ("lastlayer.probabilities('softmax:alpha=2', [1, 2])", ("softmax has no parameter alpha",)),
        ("lastlayer.probabilities('entmax:toString=2', [1, 2])", ("entmax has no parameter toString", "alpha")),
        ("lastlayer.probabilities('softmax', [1, 2], {foo: 1})", ("no parameter foo", "temperature")),
        ("lastlayer.claims([1, 2], 0, {temperature: -1})", ("temperature is -1",)),
        ("lastlayer.probabilities('softmax', 'abc')", ("as a list",)),
        ("lastlayer.probabilities('taylor', [1, 2], {order: 3})", ("order is 3",)),
        ("lastlayer.loss('softmax', [1, 2], 0, {temperature: 0})", ("temperature is 0",)),
    ):
        message = page.evaluate(f"(() => {{ try {{ return String({call}) }} catch (e) {{ return e.message }} }})()")
        assert all(word in message for word in words), message
