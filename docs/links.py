"""Check a built site: every link inside it leads to a page and an anchor that exist, and no page loads anything from elsewhere.

python docs/links.py build/site
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Attributes that a browser loads by itself.
LOADED = {
    ("img", "src"),
    ("script", "src"),
    ("iframe", "src"),
    ("link", "href"),
    ("source", "src"),
    ("source", "srcset"),
    ("video", "src"),
}
LINKED = {("a", "href"), *LOADED}
#: The page to play with keeps its state after the #: keys and values, no anchor.
PLAYGROUND = "explore.html"
PLAYGROUND_KEYS = frozenset(
    ["v", "s", "y", "k", "c", "m", "scene", "reveal", "ui", "a", "t", "cap", "o", "g", "seen", "rate"]
)


@dataclass
class Page:
    """The anchors of a page, and (tag, target) of each link in it."""

    anchors: set[str] = field(default_factory=set)
    links: list[tuple[str, str]] = field(default_factory=list)


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.page.anchors.add(value)
            if (tag, name) in LINKED:
                self.page.links.append((tag, value))


def read(path: Path) -> Page:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


def wrong(site: Path) -> list[str]:
    """A line for each link that leads nowhere, and for each file that is loaded from elsewhere."""
    pages = {path.resolve(): read(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        for tag, target in page.links:
            reason = fault(path, tag, target, pages)
            if reason:
                found.append(f"{path.relative_to(site.resolve())}: {target}: {reason}")
    return found


def fault(path: Path, tag: str, target: str, pages: dict[Path, Page]) -> str | None:
    """Why a link is wrong; None for a right one, and for a link to another site."""
    parts = urlsplit(target)
    if parts.scheme == "data":
        return None
    if parts.scheme or parts.netloc:
        return None if tag == "a" else "loaded from elsewhere"
    file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not file.is_file():
        return "no such file"
    anchor = unquote(parts.fragment)
    if not anchor or file not in pages or anchor in pages[file].anchors:
        return None
    if file.name == PLAYGROUND and "=" in anchor:
        unknown = {part.partition("=")[0] for part in anchor.split("&")} - PLAYGROUND_KEYS
        return f"the page knows no {', '.join(sorted(unknown))}" if unknown else None
    return "no such anchor"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path)
    site = parser.parse_args(arguments).site
    found = wrong(site)
    for line in found:
        print(line, file=sys.stderr)
    if not found:
        print(f"{site}: every link leads somewhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
