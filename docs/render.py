"""Write what the records say into docs/mappings.md, README.md's table, and docs/benchmarks.md with its figures.

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
from lastlayer.benchmark import Record, classifier_fits, device_rows, figure, linear
from lastlayer.benchmark.page import figure_name
from lastlayer.benchmark.page import page as benchmark_page
from lastlayer.benchmark.summary import summary
from lastlayer.comparison.markdown import page, table

ROOT = Path(__file__).resolve().parent.parent
BEGIN = "<!-- mappings: from here rendered by docs/render.py -->"
END = "<!-- mappings: to here -->"
#: The recorded benchmark runs in benchmarks/results/ that have a place on the page, as far as they are there.
RUNS = ("cpu-zen5", "cpu-zen4", "cpu", "cpu-float64")


def rendered(root: Path) -> dict[Path, str]:
    """Each file that is rendered, in whole or in part, and the text that it should have."""
    readme = root / "README.md"
    return {
        root / "docs" / "mappings.md": page(ll.MAPPINGS.values()),
        readme: with_table(
            readme.read_text(encoding="utf-8"),
            table(ll.MAPPINGS.values(), "docs/mappings.md"),
        ),
        **benchmarks(root),
    }


def benchmarks(root: Path) -> dict[Path, str]:
    """The page of the recorded runs, and a figure each."""
    paths = {name: root / "benchmarks" / "results" / f"{name}.json" for name in RUNS}
    records = {
        name: Record.from_json(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()
    }
    heads = stored(root, "linear-cpu", "linear-cuda")
    rows = stored(root, "rows-cuda-float32", "rows-cuda-bfloat16")
    fits = stored(root, "fit")
    sections = [*map(linear.section, heads), *map(device_rows.section, rows), *map(classifier_fits.section, fits)]
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


def with_table(text: str, new: str) -> str:
    """`text` with what stands between the two markers replaced.

    Raises:
        ValueError: the markers are not there, once each and in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in after or END in after:
        raise ValueError(
            f"README.md needs the two lines {BEGIN!r} and {END!r}, once each, around its table of mappings."
        )
    return f"{before}{BEGIN}\n{new}\n{END}{after}"


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """0: all is (or was brought) up to date; 1: --check found a stale file; 2: README has no place for its table."""
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
