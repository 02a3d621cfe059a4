"""Draw the figures of the documents from the library into docs/images/. --check only says whether they are current.

python docs/figures [--check] [NAME …]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import numpy as np
from catalogue import FIGURES
from style import Drawn, digest, styled, svg

IMAGES = Path(__file__).resolve().parents[1] / "images"


def is_current(text: str, drawn: Drawn) -> bool:
    """The stored SVG has the same words and the same data. Its bytes may differ from matplotlib to matplotlib."""
    stored = re.search(r"<dc:description>(.*?)</dc:description>", text, flags=re.DOTALL)
    title = re.search(r"<dc:title>(.*?)</dc:title>", text, flags=re.DOTALL)
    if stored is None or title is None or _plain(title[1]) != drawn.words:
        return False
    before, now = json.loads(stored[1]), digest(drawn.figure)
    return np.shape(before) == np.shape(now) and bool(np.allclose(before, now, rtol=2e-3, atol=1e-6))


def _plain(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def main(arguments: list[str] | None = None, images: Path = IMAGES) -> int:
    """0: all figures are (or were brought) up to date; 1: --check found an old one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where a figure is old")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these figures")
    options = parser.parse_args(arguments)
    stale = []
    for name in options.names or FIGURES:
        path = images / f"{name}.svg"
        drawn = styled(FIGURES[name])
        if path.exists() and is_current(path.read_text(encoding="utf-8"), drawn) and not options.names:
            continue
        stale.append(name)
        if options.check:
            print(f"docs/images/{name}.svg is not what the library gives; run: python docs/figures", file=sys.stderr)
        else:
            path.write_text(svg(drawn), encoding="utf-8")
            print(f"wrote docs/images/{name}.svg")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
