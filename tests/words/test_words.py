"""Numbers and names in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastlayer.words import lists, names, numbers
from lastlayer.words.printable import clean

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "decimals", "sign", "text"),
    [
        (0.0532, 3, False, "0.053"),
        (-0.0532, 3, False, "−0.053"),
        (0.0532, 3, True, "+0.053"),
        (-0.0001, 3, True, "0.000"),
        (INF, 3, False, "∞"),
        (-INF, 3, True, "−∞"),
        (INF, 3, True, "+∞"),
        (NAN, 3, False, "–"),
        (1.5e9, 3, False, "1.50e+09"),
    ],
)
def test_number(value: float, decimals: int, sign: bool, text: str) -> None:
    assert numbers.number(value, decimals, sign=sign) == text


@pytest.mark.parametrize(
    ("widths", "digits", "decimals"),
    [([0.0123], 2, 3), ([0.0123], 1, 2), ([0.00123], 2, 4), ([0.5], 1, 2), ([1e-12], 2, 6), ([NAN, 0.0], 2, 3)],
)
def test_decimals_follow_the_interval(widths: list[float], digits: int, decimals: int) -> None:
    assert numbers.decimals_for(widths, digits=digits) == decimals


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0 %"), (1e-9, "< 0.1 %"), (0.0312, "3.1 %"), (1.0, "100 %"), (0.99999, "> 99.9 %"), (NAN, "–")],
)
def test_share_never_rounds_something_to_nothing(value: float, text: str) -> None:
    assert numbers.share(value).replace(numbers.THIN, " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00042, "0.42 ms"), (0.0123, "12 ms"), (0.24, "0.24 s"), (12.4, "12 s"), (4321.0, "4,321 s"), (NAN, "–")],
)
def test_seconds(value: float, text: str) -> None:
    assert numbers.seconds(value).replace(numbers.THIN, " ") == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.00049, "p < 0.001"), (0.0123, "p = 0.012"), (0.41, "p = 0.41"), (NAN, "")]
)
def test_p_values(value: float, text: str) -> None:
    assert numbers.p_value(value) == text


def test_counts_and_verbs() -> None:
    assert (lists.plural(1, "row"), lists.plural(2, "class", "classes")) == ("1 row", "2 classes")
    assert lists.plural(12_345, "row").replace(numbers.THIN, " ") == "12 345 rows"
    assert (lists.verb(1, "differ"), lists.verb(0, "differ")) == ("differs", "differ")
    assert (lists.sentence(" a b"), lists.sentence("Is it?"), lists.sentence("")) == ("A b.", "Is it?", "")


def test_listing() -> None:
    assert lists.listing([]) == ""
    assert lists.listing(["a"]) == "a"
    assert lists.listing(["a", "b", "c"]) == "a, b and c"
    assert lists.listing(list("abcdef"), at_most=4) == "a, b, c and 3 more"


@given(st.text(max_size=80), st.integers(3, 40))
def test_shortened_text_keeps_its_ends(text: str, width: int) -> None:
    short = names.shorten(text, width)
    assert len(short) <= width
    if len(text) > width:
        head, _, tail = short.rpartition("…") if short.count("…") == 1 else (short[:1], "", short[-1:])
        assert text.startswith(head)
        assert text.endswith(tail)
    else:
        assert short == text


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=30), max_size=12, unique=True), st.integers(8, 20))
def test_names_shortened_apart_stay_apart(texts: list[str], width: int) -> None:
    shown = names.shorten_apart(texts, width)
    assert len(set(shown)) == len(texts)
    assert all(len(name) <= width for name in shown)


@given(st.text(alphabet=st.characters(), max_size=200))
def test_clean_text_can_be_written_and_obeys_nothing(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert len(cleaned) == len(text)
    assert not any(
        ord(c) < 32 or 127 <= ord(c) < 160 or 0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069 for c in cleaned
    )


def test_clean_keeps_what_scripts_need() -> None:
    for text in ("naïve Ελληνικά 日本語", "שלום", "می‌خواهم", "👩‍🔬"):
        assert clean(text) == text
