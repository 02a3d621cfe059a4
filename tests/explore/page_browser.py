"""The page in Chromium: written to a file, opened from it, and asked for what its functions give."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lastlayer.explore.page import build

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: Infinities and NaN as text, in both directions: JSON has none.
SCRIPT = """([names, text]) => {
  const read = v => typeof v === "string" ? Number(v) : Array.isArray(v) ? v.map(read) : v;
  const write = v => typeof v === "number" && !Number.isFinite(v) ? String(v) : v && typeof v === "object"
    ? Array.isArray(v) ? v.map(write) : Object.fromEntries(Object.entries(v).map(([k, x]) => [k, write(x)])) : v;
  const calls = JSON.parse(text, (_, v) => v === "Infinity" || v === "-Infinity" ? Number(v) : v);
  const f = names.split(".").reduce((o, k) => o[k], window);
  return JSON.stringify(calls.map(call => write(f(...call))));
}"""


@contextmanager
def opened_browser() -> Iterator[Any]:
    """A browser; the test is skipped if there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on the path; install one, on Debian with `apt-get install -y chromium`")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is missing; pip install 'lastlayer[dev]'"
    )
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


def written_page(folder: Path) -> Path:
    """The page as `lastlayer explore` writes it, in a file."""
    path = folder / "explore.html"
    path.write_text(build(), encoding="utf-8")
    return path


def ask(page: Any, function: str, calls: list[list[Any]]) -> list[Any]:
    """What the page's function gives for each list of arguments; all in one trip to the browser."""
    page.wait_for_selector("html[data-ready]", state="attached")
    answers = json.loads(page.evaluate(SCRIPT, [function, json.dumps(_to_text(calls))]))
    return [_from_text(answer) for answer in answers]


def _to_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_text(item) for item in value]
    if isinstance(value, float) and value in (float("inf"), -float("inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _from_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_text(item) for item in value]
    if value in ("Infinity", "-Infinity", "NaN"):
        return float(value.replace("Infinity", "inf"))
    return value
