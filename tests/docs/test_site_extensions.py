"""What the site adds to Sphinx: pages from records, equations, docstrings, help texts, links."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest

pytest.importorskip("sphinx", reason='pip install ".[docs]"')
pytest.importorskip("sphinx_gallery", reason='pip install ".[docs]"')
pytest.importorskip("sklearn", reason='pip install ".[study]"')
pytest.importorskip("torch", reason='pip install ".[torch]"')

from docutils.utils.math.latex2mathml import tex2mathml
from pages import DOCS

import lastlayer
import lastlayer.calibration
import lastlayer.evaluation
import lastlayer.sklearn
import lastlayer.study
import lastlayer.torch
from lastlayer.cli import app
from site_extensions import (
    charts,
    commands,
    docstrings,
    equations,
    example_ends,
    explore_page,
    gallery,
    mapping_pages,
    narrow_figures,
    repository_links,
    schema_pages,
)

MAPPINGS = list(lastlayer.MAPPINGS.values())
API = DOCS / "reference" / "api"


@pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda mapping: mapping.label)
def test_the_page_of_a_mapping_has_its_record(mapping):
    page = mapping_pages.page(mapping)
    assert page.startswith(f"# {mapping.label}\n")
    assert mapping.name in equations.EQUATIONS
    for text in (mapping.summary, mapping.limits, *mapping.references):
        assert mapping_pages.plain(text) in page
    assert page.count("<svg") == 2
    assert not re.search(r"\bnan\b", page)


@pytest.mark.parametrize(
    "latex", [*equations.EQUATIONS.values(), *sum(equations.FAMILIES.values(), ()), *equations.GRADIENTS.values()]
)
def test_an_equation_becomes_mathml(latex):
    assert tex2mathml(latex, as_block=True).startswith("<math")


def test_a_mapping_without_latex_is_shown_as_text():
    new = lastlayer.MAPPINGS["softmax"].replace()
    object.__setattr__(new, "name", "mine")
    assert equations.equation(new) == f"`{new.equation}`"


def test_the_list_of_mappings_links_each():
    page = mapping_pages.index(tuple(MAPPINGS))
    for mapping in MAPPINGS:
        assert f"[{mapping.label}]({mapping.label}.md)" in page


def test_a_chart_has_a_gap_where_there_is_no_answer():
    """The ratio has none for negative scores, and its curve does not start there."""
    x = [-3 + i / 20 for i in range(161)]
    y = mapping_pages.first_class(lastlayer.MAPPINGS["ratio"], mapping_pages.np.array(x))
    assert [math.isnan(value) for value in y] == [place < -1e-9 for place in x]
    drawn = charts.chart(
        "a", 'words <&> "', x, [charts.Curve(y, "hue-2")], (charts.Axis(-3, 5, (0,)), charts.Axis(0, 1, (0,)))
    )
    HTMLParser().feed(drawn)
    first = re.search(r'class="curve hue-2" d="M([\d.]+) ([\d.]+)L', drawn)
    assert first is not None
    assert float(first[1]) > charts.LEFT + 3 / 8 * (charts.WIDTH - charts.LEFT - charts.RIGHT) - 2
    assert "nan" not in drawn
    assert "words &lt;&amp;&gt; &quot;" in drawn


def test_a_curve_ends_at_the_edge_of_its_chart():
    drawn = charts.chart(
        "a", "b", [0, 1, 2, 3], [charts.Curve([0, 1, 9, 99], "other")], (charts.Axis(0, 3, ()), charts.Axis(0, 2, ()))
    )
    path = re.search(r'class="curve other" d="(.*?)"', drawn)
    assert path is not None
    assert len(re.findall("[ML]", path[1])) == 3
    assert f" {charts.TOP}.0" in path[1]


def test_docstrings_keep_their_mathematics():
    lines = ["2 ULP of max(|a|, |b|), `x * y`, 2*x, and `ProbabilityMapping`s", ">>> 2 * 3", "6", "", "a * b"]
    assert docstrings.escaped(lines) == [
        "2 ULP of max(\\|a\\|, \\|b\\|), `x * y`, 2\\*x, and `ProbabilityMapping`\\ s",
        *lines[1:4],
        "a \\* b",
    ]


def test_words_of_a_result_are_no_type():
    lines = ["Returns:", "    An array (integers: float64).", "    More: words."]
    assert docstrings.escaped(lines) == ["Returns:", "    : An array (integers: float64).", "    More: words."]


def test_signatures_show_the_name_of_a_type():
    shown = docstrings.process_signature(
        None,
        "function",
        "f",
        None,
        None,
        "(out: TypeAliasForwardRef('Array') | None = None)",
        "TypeAliasForwardRef('Array')",
    )
    assert shown == ("(out: Array | None = None)", "Array")


def test_the_example_of_a_help_text_is_code():
    assert "   $ lastlayer compare 1 0.5" in commands.as_code(["Words.", "", "Example: lastlayer compare 1 0.5"])
    assert "   $ eval x" in commands.as_code(["| Completion:", "| bash: eval x"])
    assert commands.as_code(["Words about lastlayer and more."]) == ["Words about lastlayer and more."]


@pytest.mark.parametrize(
    ("document", "link", "led"),
    [
        ("torch", "[x](mappings.md#entmax)", "[x](reference/mappings/entmax.md)"),
        ("how-to/index", "[x](../mappings.md)", "[x](../reference/mappings/index.md)"),
        ("architecture", "[x](../CONTRIBUTING.md#add-a-loss-option)", "[x](how-to/contribute.md#add-a-loss-option)"),
        ("architecture", "[x](../src/lastlayer/kernels/native/README.md)", "[x](under-the-hood/native-kernels.md)"),
        ("faq", "[x](explore.html#s=1,0.5)", "[x](explore.html#s=1,0.5){.external}"),
        ("learn/one", "[x](../explore.html#s=1,0.5)", "[x](../explore.html#s=1,0.5){.external}"),
        ("faq", "[x](torch.md#modules) [y](https://example.org/CONTRIBUTING.md) [z](#here)", None),
    ],
)
def test_links_of_the_repository_lead_to_pages(document, link, led):
    assert repository_links.led(f"See {link}.", document) == f"See {led or link}."


def test_pages_that_links_are_led_to_exist():
    for page in repository_links.PAGES.values():
        assert (DOCS / page).exists(), page


def test_a_wide_figure_has_a_narrow_one():
    body = '<p><img alt="A" src="../_images/answer.svg" /> <img alt="B" src="_images/scale.svg" /></p>'
    assert narrow_figures.with_narrow(body, {"answer-narrow.svg"}) == (
        '<p><picture><source media="(max-width: 40em)" srcset="../_images/answer-narrow.svg">'
        '<img alt="A" src="../_images/answer.svg" /></picture> <img alt="B" src="_images/scale.svg" /></p>'
    )


def test_the_empty_line_after_an_example_is_not_shown():
    text = "```python\n>>> 1\n1\n\n>>> 2\n2\n\n```\n\nText.\n\n```sh\nx\n```\n"
    assert example_ends.closed(text) == "```python\n>>> 1\n1\n\n>>> 2\n2\n```\n\nText.\n\n```sh\nx\n```\n"


def test_every_card_of_the_gallery_has_its_line():
    card = '<div class="sphx-glr-thumbcontainer" tooltip="A long text.">'
    lines = list(gallery.LINES.values())
    assert gallery.with_lines(card * len(lines)) == "".join(card.replace("A long text.", line) for line in lines)
    assert all(len(line) <= 60 for line in lines)


@pytest.mark.parametrize("mapping", lastlayer.MAPPINGS.values(), ids=lambda mapping: mapping.label)
def test_references_of_a_mapping_can_be_followed(mapping):
    assert all(re.fullmatch(r"\[.*, .*\]\(https://.*\)", entry) for entry in mapping_pages.references(mapping))


def test_every_public_name_is_in_the_reference():
    for module, page in {
        lastlayer: "lastlayer",
        lastlayer.torch: "torch",
        lastlayer.sklearn: "sklearn",
        lastlayer.study: "study",
        lastlayer.evaluation: "evaluation",
        lastlayer.calibration: "evaluation",
    }.items():
        text = (API / f"{page}.md").read_text(encoding="utf-8")
        named = set(re.findall(r"^\.\. (?:auto|py:)\w+:: (\w+)", text, re.MULTILINE))
        made = set(getattr(lastlayer.torch, "MODULES", {})) if module is lastlayer.torch else set()
        assert set(module.__all__) - {"__version__"} - made <= named, page


def test_every_command_is_in_the_reference():
    text = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    assert re.findall(r":prog: lastlayer (\w+)", text) == list(app.commands)


def test_the_page_to_play_with_leads_back():
    assert explore_page.page_of_site().count('href="index.html"') == 1


def test_a_schema_becomes_tables_with_its_keys():
    schema = {
        "description": "All of it.",
        "required": ["a"],
        "properties": {
            "a": {"type": "array", "items": {"$ref": "#/$defs/b"}, "description": "Some."},
            "c": {"enum": [1, "x"], "description": "One."},
        },
        "$defs": {"b": {"required": [], "properties": {"d": {"type": ["number", "null"], "description": "A number."}}}},
    }
    assert schema_pages.tables(schema) == (
        'All of it.\n\n| key | type | |\n|---|---|---|\n| `a` | list of b | Some. |\n| `c` | 1 \\| "x" | One. *Not always there.* |\n\n'
        "**b**\n\n| key | type | |\n|---|---|---|\n| `d` | number or null | A number. *Not always there.* |"
    )
