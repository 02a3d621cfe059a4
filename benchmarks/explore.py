"""How fast the page to play with is: loading until it can be used, and a drag until it is drawn, in a Chromium from a file.

python benchmarks/explore.py [--record]     # --record writes benchmarks/results/explore.json
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from lastlayer.explore.page import PageState, build
from lastlayer.version import __version__

RECORD = Path(__file__).resolve().parent / "results" / "explore.json"
LOADS, MOVES = 15, 120
#: Milliseconds from a pointer's move to the end of the drawing that answers it, layout included.
LISTEN = """() => {
    window.delays = []; let moved = null;
    addEventListener('pointermove', event => { moved ??= event.timeStamp; }, true);
    LL.onchange(() => {
        document.body.offsetHeight;
        if (moved !== null) delays.push(performance.now() - moved);
        moved = null;
    });
}"""
#: Milliseconds of one drawing of all that can be seen, layout included.
REDRAW = """count => Array.from({ length: count }, (_, i) => {
    LL.set({ scores: [1 + i / 500, 0.5, -i / 900] });
    const start = performance.now();
    LL.redraw();
    document.body.offsetHeight;
    return performance.now() - start;
})"""


def main() -> None:
    """Measure, print, and record if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    record = parser.parse_args().record
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        parser.error("no Chromium on the path")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        path = Path(folder) / "page.html"
        path.write_text(build(PageState((1.0, 0.5, -0.2))), encoding="utf-8")
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        result = {
            "version": __version__,
            "browser": browser.version,
            "machine": platform.machine(),
            "bytes": path.stat().st_size,
            "load_ms": summary([load(browser, path) for _ in range(LOADS)]),
            **{
                f"{place}_{name}": v
                for place in ("top", "scene 2", "lab")
                for name, v in drag(browser, path, place).items()
            },
        }
        browser.close()
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if record:
        RECORD.write_text(text, encoding="utf-8")


def load(browser: Any, path: Path) -> float:
    """Milliseconds from the start of the navigation until the page is ready, in a new context."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    milliseconds = float(page.evaluate("performance.getEntriesByName('ready')[0].startTime"))
    context.close()
    return milliseconds


def drag(browser: Any, path: Path, place: str) -> dict[str, dict[str, float]]:
    """A bar dragged up and down by the mouse, all answers revealed, and a drawing alone."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    scene = {"top": "0", "lab": "lab"}.get(place, place.removeprefix("scene "))
    page.goto(f"{path.as_uri()}#v=1&s=1,0.5,-0.2&reveal=1&scene={scene}")
    page.wait_for_selector("html[data-ready]", state="attached")
    page.evaluate(LISTEN)
    well = page.locator(".well").first
    if scene == "0":
        well.scroll_into_view_if_needed()
    box = well.bounding_box()
    assert box is not None
    x, y, height = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(MOVES):
        page.mouse.move(x, y + 0.4 * height * ((step % 20) / 10 - 1))
    page.mouse.up()
    delays = page.evaluate("delays")
    drawing = page.evaluate(REDRAW, MOVES)
    context.close()
    return {"drag_ms": summary(delays), "draw_ms": summary(drawing)}


def summary(values: list[float]) -> dict[str, float]:
    """Median and nearly the worst, in milliseconds."""
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 1),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
        "count": len(ordered),
    }


if __name__ == "__main__":
    main()
