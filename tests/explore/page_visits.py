"""Visits to the page, after which nothing may have been said on the console and nothing requested but the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READY = "html[data-ready]"


@contextmanager
def visits(browser: Any, path: Path) -> Iterator[Callable[..., Any]]:
    """A function that opens the page at a hash, in a window of its own; without motion unless `reduced_motion` says so."""
    contexts, messages, requests = [], [], []

    def opened(hash_: str = "", width: int = 1280, height: int = 800, **options: Any) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height}, **{"reduced_motion": "reduce", **options}
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: messages.append((hash_, message.text)))
        page.on("pageerror", lambda error: messages.append((hash_, str(error))))
        page.on("request", lambda request: requests.append(request.url.split("#")[0]))
        page.goto(path.as_uri() + hash_)
        if options.get("java_script_enabled", True):
            page.wait_for_selector(READY, state="attached")
        return page

    try:
        yield opened
    finally:
        for context in contexts:
            context.close()
    assert messages == []
    assert set(requests) <= {path.as_uri(), "data:,", "about:srcdoc"}


def drawn(page: Any) -> None:
    """Draw at once what was asked for."""
    page.evaluate("LL.redraw()")


def settled(page: Any) -> None:
    """Wait until what was asked for is drawn, and in the address."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.evaluate("LL.saveHash()")


def said(page: Any, scene: int) -> str:
    """The takeaway of a question."""
    return str(page.inner_text(f"#scene-{scene} [data-say]"))


def bold_numbers(page: Any, scene: int) -> list[str]:
    """The numbers that a takeaway has in bold, as they are printed."""
    words = page.locator(f"#scene-{scene} [data-say] b").all_inner_texts()
    found = [word.replace("−", "-").replace("×", "").strip() for word in words]
    return [word for word in found if word[-1].isdigit() or word == "∞"]
