"""Screenshots of the page to play with, for the documents: desktop, phone, dark, lecture hall, paper.

python docs/screenshots.py [FOLDER]     # default docs/images; needs playwright, Pillow and a Chromium
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from lastlayer.explore.page import build

IMAGES = Path(__file__).resolve().parent / "images"


def _nothing(page: Any) -> None:
    pass


def _press(*keys: str) -> Callable[[Any], None]:
    def press(page: Any) -> None:
        for key in keys:
            page.keyboard.press(key)

    return press


def _paper(page: Any) -> None:
    page.emulate_media(media="print")


@dataclass(frozen=True)
class Shot:
    """One picture: the state of the page, the window, and what is done before it is taken."""

    hash: str
    width: int
    height: int
    scheme: str = "light"
    act: Callable[[Any], None] = _nothing
    scale: float = 1.0


SHOTS = {
    "explore": Shot("#v=1&s=1,0.5&y=1&k=0.3&seen=1,2&scene=2", 1280, 800),
    "explore-phone": Shot("#v=1&s=1,0.5&y=1&reveal=1&scene=3", 360, 740, scale=1.5),
    "explore-dark": Shot("#v=1&s=2,-1,0.5&y=1&reveal=1&scene=4", 1280, 800, "dark"),
    "explore-lecture": Shot("#v=1&s=1,0.5&y=1&ui=present&scene=7", 1280, 720, act=_press("Space", "Space", "Space")),
    "explore-lecture-question": Shot("#v=1&s=1,0.5&y=1&ui=present&scene=5", 1280, 720),
    "explore-lab": Shot("#v=1&s=2,0.5,1&y=2&m=softmax,ratio,sparsemax,entmax&reveal=1&scene=lab", 1280, 1000),
    "explore-paper": Shot("#v=1&s=1,0.5&y=1&seen=", 680, 962, act=_paper),
    "explore-handout": Shot("#v=1&s=1,0.5&y=1&reveal=0", 680, 962, act=_paper),
}


def main() -> None:
    """Take every picture."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as running:
        path = Path(temporary) / "explore.html"
        path.write_text(build(), encoding="utf-8")
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, shot in SHOTS.items():
            take(browser, f"{path.as_uri()}{shot.hash}", shot, folder / f"{name}.png")
            print(f"{name}.png: {(folder / f'{name}.png').stat().st_size // 1024} KB")
        browser.close()


def take(browser: Any, address: str, shot: Shot, path: Path) -> None:
    """One picture, once everything stands still."""
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme=shot.scheme,
        device_scale_factor=shot.scale,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("html[data-ready]", state="attached")
    shot.act(page)
    page.evaluate("document.documentElement.classList.add('idle')")
    page.wait_for_timeout(300)
    page.screenshot(path=str(path))
    context.close()
    # Flat colours: a palette is half the size, and nobody sees the difference.
    Image.open(path).convert("RGB").quantize(96).save(path, optimize=True)


if __name__ == "__main__":
    main()
