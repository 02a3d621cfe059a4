"""The words that CONTRIBUTING bans do not occur in comments, docstrings, messages and documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: The gap between two words: spaces, or the end of a line and the next line's comment marker.
GAP = r"\s+(?:(?:\#:?|//)\s*)?"
#: Pattern → what to write instead. Add a pattern only if every match is wrong: there are no exceptions.
BANNED = {
    r"\bof which\b": "'whose', or two sentences",
    r"\bso many\b": "'at most n', or name the number",
    r"\bsuch an?\b": "'this', or 'a … like this'",
    r"\banew\b": "'again'",
    r"\bbeside\b": "'next to', or 'in addition to'",
    r"\bpast the caches?\b": "'non-temporal store'",
    r"\b(?:lies?|lying) ready\b": "'preallocated'",
    r"\bwhere there (?:is|are) none\b": "'if there is none'",
    r"\b(?:has|have) not(?=[.,;:)])": "'does not have'",
    r"\bgoes on learning\b": "'keeps a nonzero gradient'",
    r"\b(?:wrap|wraps|wrapped) round\b": "'wrap around'",
    (
        r"\b(?:one|two|three|four|ten|\d+) (?:row|file|line|loss|threshold|weight|label|column|number|module|adapter|block|kernel"
        r"|test|function|value|program|start|entry|call|product|step) an? (?:row|class|mapping|file|folder|peer|score|test|call"
        r"|step|direction|framework|command|lane|block)\b"
    ): "'one … per …'",
}
PATTERNS = {re.compile(f'(?<!")(?:{pattern.replace(" ", GAP)})', re.IGNORECASE): say for pattern, say in BANNED.items()}
#: A comment or docstring that begins with "Of the …" has no subject.
HEADLESS = re.compile(r'(?:^|\s)(?:\#:?|//|""")\s*Of\s')
#: What the build of the site writes.
GENERATED = (ROOT / "docs" / "gallery",)
SUFFIXES = {".py", ".pyi", ".hpp", ".cpp", ".md", ".toml", ".txt"}


def found(text: str) -> Iterator[str]:
    """'line: phrase: what to write' for every banned phrase in a text."""
    for pattern, say in {**PATTERNS, HEADLESS: "a sentence with a subject"}.items():
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start() + len(match[0]) - len(match[0].lstrip())) + 1
            yield f"{line}: {' '.join(match[0].split())!r}: write {say}"


def rooms() -> dict[str, list[Path]]:
    """Name → its files: one per folder of src/lastlayer and tests, one per other folder, and one for files next to them."""
    groups: dict[str, list[Path]] = {}
    folders = [ROOT, *(ROOT / name for name in ("src/lastlayer", "tests", "docs", "examples", "benchmarks"))]
    for folder in folders:
        for path in sorted(folder.iterdir()):
            is_room = (
                path.is_dir()
                and path not in GENERATED
                and folder.name in ("lastlayer", "tests", "docs", "examples", "benchmarks")
            )
            files = [path] if path.is_file() else sorted(path.rglob("*")) if is_room else []
            name = path if is_room else folder
            kept = [file for file in files if file.suffix in SUFFIXES and file != Path(__file__)]
            groups.setdefault(name.relative_to(ROOT).as_posix(), []).extend(kept)
    return {name: files for name, files in groups.items() if files}


ROOMS = [pytest.param(files, id=name) for name, files in rooms().items()]


@pytest.mark.parametrize("files", ROOMS)
def test_no_banned_phrase(files):
    bad = [f"{path.relative_to(ROOT)}:{one}" for path in files for one in found(path.read_text(encoding="utf-8"))]
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize(
    "text",
    [
        "# Of the mean.",
        "x = 1  # Of a row.",
        '    """Of softmax in float32."""',
        "// Of whole vectors",
        "# A row of which nothing is left.",
        "# computed\n    # anew",
        "# one row beside another",
        "#: at most so\n#: many scores",
        "//  where there\n// is none",
        "one loss a row",
        "a parameter that the mapping has not.",
    ],
)
def test_a_banned_phrase_is_found(text):
    assert list(found(text))


@pytest.mark.parametrize(
    "text",
    [
        "# One loss per row.",
        "of these, which",
        "such as one row",
        "it has not changed",
        "two besides one",
        'do not write "so many"',
        "one is a class",
    ],
)
def test_plain_text_is_not_found(text):
    assert not list(found(text))
