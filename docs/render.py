"""Write what the records say into docs/mappings.md, and docs/benchmarks.md with its figures; and the maps of the
kernels' READMEs into docs/architecture.md.

--check only says whether they are current.

python docs/render.py [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import lastlayer as ll
from lastlayer.benchmark import (
    Record,
    classifier_fits,
    device_rows,
    figure,
    head_cases,
    head_statistics,
    linear,
    temperatures,
)
from lastlayer.benchmark.page import figure_name
from lastlayer.benchmark.page import page as benchmark_page
from lastlayer.benchmark.summary import summary
from lastlayer.comparison.markdown import page

ROOT = Path(__file__).resolve().parent.parent
#: A rendered part of a file lies between these two lines.
BEGIN = "<!-- {}: from here rendered by docs/render.py -->"
END = "<!-- {}: to here -->"
#: The kernels' READMEs, and the heading above the map in each.
MAPS = {
    "native map": ("native/README.md", "## Which loop serves a request"),
    "triton map": ("triton/README.md", "## The map: which kernel runs"),
}
#: The recorded benchmark runs in benchmarks/results/ that have a place on the page, as far as they are there.
RUNS = ("cpu-zen5", "cpu-zen4", "cpu", "cpu-float64")


def rendered(root: Path) -> dict[Path, str]:
    """Each file that is rendered, in whole or in part, and the text that it should have."""
    architecture = root / "docs" / "architecture.md"
    return {
        root / "docs" / "mappings.md": page(ll.MAPPINGS.values()),
        architecture: with_maps(architecture.read_text(encoding="utf-8")),
        **benchmarks(root),
    }


def with_maps(text: str) -> str:
    """docs/architecture.md with the maps of the kernels' READMEs."""
    kernels = Path(ll.__file__).parent / "kernels"
    for name, (path, heading) in MAPS.items():
        text = with_part(text, name, section((kernels / path).read_text(encoding="utf-8"), heading), "architecture.md")
    return text


def benchmarks(root: Path) -> dict[Path, str]:
    """The page of the recorded runs, and a figure each."""
    paths = {name: root / "benchmarks" / "results" / f"{name}.json" for name in RUNS}
    records = {
        name: Record.from_json(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()
    }
    heads, peaked = stored(root, "linear-cpu", "linear-cuda"), stored(root, "linear-cuda-peaked")
    statistics = stored(root, "linear-statistics-cpu", "linear-statistics-cuda")
    rows = stored(root, "rows-cuda-float32", "rows-cuda-bfloat16")
    fits = stored(root, "fit")
    calibrations = stored(root, "temperature")
    conformance = stored(root, "heads-cpu", "heads-cuda")
    sections = [
        *map(linear.section, [*heads, *peaked]),
        *map(head_statistics.section, statistics),
        *map(head_cases.section, conformance),
        *map(device_rows.section, rows),
        *map(classifier_fits.section, fits),
        *map(temperatures.section, calibrations),
    ]
    start = benchmark_page(records, summary(records, heads, fits[0] if fits else None))
    files = {root / "docs" / "benchmarks.md": "\n".join([start, *sections])}
    for name, record in records.items():
        path = root / "docs" / figure_name(name)
        drawn = path.read_text(encoding="utf-8") if path.exists() else ""
        files[path] = drawn if figure.is_current(drawn, record) else figure.svg(record)
    return files


def stored(root: Path, *names: str) -> list[dict[str, Any]]:
    """The records of those names in benchmarks/results/, as far as they are there."""
    paths = [root / "benchmarks" / "results" / f"{name}.json" for name in names]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]


def with_part(text: str, name: str, new: str, file: str) -> str:
    """`text` with the part between the two lines of that name replaced.

    Raises:
        ValueError: the lines are not there, once each and in order.
    """
    begin, end = BEGIN.format(name), END.format(name)
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end) or begin in after or end in after:
        raise ValueError(f"{file} needs the two lines {begin!r} and {end!r}, once each, around its {name}.")
    return f"{before}{begin}\n{new}\n{end}{after}"


def section(text: str, heading: str) -> str:
    """What follows a heading, up to the next one of its level.

    Raises:
        ValueError: there is no such heading.
    """
    _, found, rest = text.partition(f"{heading}\n")
    if not found:
        raise ValueError(f"the heading {heading!r} is missing in a README of the kernels.")
    return rest.partition("\n## ")[0].strip()


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """0: all is (or was brought) up to date; 1: --check found a stale file; 2: a file has no place for its rendered part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; exit 1 where a file is stale",
    )
    check = parser.parse_args(arguments).check
    try:
        files = rendered(root)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        name = path.relative_to(root)
        if check:
            print(
                f"{name} is not what the records say; run: python docs/render.py",
                file=sys.stderr,
            )
        else:
            path.write_text(files[path], encoding="utf-8")
            print(f"wrote {name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
