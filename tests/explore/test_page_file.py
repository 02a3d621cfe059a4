"""The page as a file: complete, small, closed to the network, with the state inside and the words of the other entrances."""

from __future__ import annotations

import base64
import html
import json
import re
import zlib
from pathlib import Path

import pytest

import lastlayer.explore
from lastlayer.explore.page import PARTS, PageState, build
from lastlayer.explore.words import prose
from lastlayer.words.claims import CLAIMS
from lastlayer.words.short_answer import QUESTION, SHORT_ANSWER

FOLDER = Path(lastlayer.explore.__file__).parent
PAGE = build()


def code(page: str) -> str:
    """The scripts of a page, unpacked."""
    packed = re.search(r'<script type="text/plain" id="code">([^<]+)</script>', page)
    assert packed is not None
    return zlib.decompress(base64.b64decode(packed[1])).decode()


def test_it_is_small() -> None:
    assert len(PAGE.encode()) <= 150_000


def test_every_part_is_in_it_and_no_placeholder_is_left() -> None:
    assert {
        p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*") if p.suffix in (".js", ".css", ".html", ".json")
    } == set(PARTS)
    assert re.findall(r"<!--[\w-]+-->|/\*[\w-]+\*/", PAGE) == []
    for part in PARTS:
        if part.endswith(".js"):
            assert (FOLDER / part).read_text(encoding="utf-8") in code(PAGE)


def test_it_can_reach_nothing() -> None:
    assert "default-src 'none'" in PAGE
    assert re.findall(r"""(?:src|href)=["'](?!#|data:)[^"']*""", PAGE) == []
    assert (
        re.findall(
            r"url\((?!data:|#)|@import|\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon|\beval\(", PAGE + code(PAGE)
        )
        == []
    )


def test_it_gives_the_short_answer_without_its_scripts() -> None:
    text = html.unescape(re.sub(r"<[^>]+>", "", PAGE))
    assert QUESTION in text
    for paragraph in SHORT_ANSWER:
        assert prose(paragraph) in PAGE
        assert re.sub(r"\*", "", paragraph) in text


def test_it_has_a_picture_without_its_scripts() -> None:
    words = re.findall(r'aria-label="([^"]+)"', PAGE)
    assert (
        "[1, 0.5]; softmax .62 and .38; ratio .67 and .33; [100, 50]; softmax 1.00 and &lt;.01; ratio .67 and .33"
        in " ".join(words)
    )
    assert any("cross at 1.386" in label for label in words)


def test_every_claim_is_in_it() -> None:
    for claim in CLAIMS:
        assert json.dumps(claim.claim, ensure_ascii=False) in code(PAGE)


def test_the_state_is_inside() -> None:
    page = build(PageState((2.0, -1.0, 0.5), 2, {"temperature": 0.5}, ("softmax", "sparsemax")))
    start = json.loads(re.search(r"START: (\{.*\}) \};", page)[1])  # type: ignore[index]
    assert start == {
        "scores": [2.0, -1.0, 0.5],
        "label": 2,
        "parameters": {"temperature": 0.5},
        "mappings": ["softmax", "sparsemax"],
    }


def test_nothing_inside_the_state_is_taken_for_a_placeholder() -> None:
    page = build(PageState(mappings=("/*hues*/", "<!--answer-->")))
    start = json.loads(re.search(r"START: (\{.*\}) \};", page)[1])  # type: ignore[index]
    assert start["mappings"] == ["/*hues*/", "<!--answer-->"]


def test_parameters_in_the_names_of_mappings_are_the_page_s() -> None:
    state = PageState(mappings=("softmax", "entmax:alpha=1.3", "taylor:order=4"), parameters={"order": 6}).to_json()
    assert state["mappings"] == ["softmax", "entmax", "taylor"]
    assert state["parameters"] == {"alpha": 1.3, "order": 6}


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"temperature": 0.0}, "temperature is 0; the page takes numbers from 0.001 to 1000."),
        ({"order": 3.0}, "order is 3; the page takes numbers from 2 to 18, even ones."),
        ({"alpha": float("nan")}, "alpha is nan; the page takes numbers from 1 to 100."),
        ({"beta": 1.0}, "The page has no parameter beta; it has temperature, softcap, alpha, order."),
    ],
)
def test_a_parameter_that_it_does_not_have_is_refused(parameters: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        PageState(parameters=parameters)


def test_the_label_is_the_class_with_the_largest_loss_if_none_is_given() -> None:
    assert PageState((2.0, -1.0, 0.5)).to_json()["label"] == 1


@pytest.mark.parametrize(
    ("scores", "label", "error", "says"),
    [
        ((), None, ValueError, "0 scores"),
        ((1.0,) * 51, None, ValueError, "51 scores; the page has room for 1 to 50"),
        ((1.0, float("inf")), None, ValueError, "Score 1 is inf"),
        ((1.0, float("nan")), None, ValueError, "Score 1 is nan"),
        ((1.0, -1.1e300), None, ValueError, "Score 1 is -1.1e+300; the page draws scores from -1e300 to 1e300."),
        ((1.0, 2.0), 2, IndexError, "label is 2; give a class from 0 to 1"),
    ],
)
def test_what_it_cannot_draw_is_refused(
    scores: tuple[float, ...], label: int | None, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=re.escape(says)):
        PageState(scores, label)


def test_the_recorded_studies_are_whole() -> None:
    record = json.loads((FOLDER / "data" / "studies.json").read_text(encoding="utf-8"))
    assert [table["name"] for table in record["tables"]] == ["iris", "wine", "breast_cancer", "digits"]
    for table in record["tables"]:
        assert {"softmax", "ratio", "sparsemax"} <= set(table["mappings"])
        for name, cells in table["mappings"].items():
            assert set(cells) == set(record["metrics"])
            for mean, *others in cells.values():
                assert mean is None or mean >= 0
                assert len(others) == (0 if name == "softmax" else 4)
                if others and others[1] is not None:
                    assert others[1] <= others[0] <= others[2]
