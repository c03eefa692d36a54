"""A browser that looks at a page, and tells what the page complained about or asked for."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def chromium():
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium here")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened_in(chromium, path: Path) -> Iterator:
    """The page in a window. At the end: it has said no error, and asked for nothing outside itself."""
    told = {"errors": [], "requests": []}
    window = chromium.new_page(viewport={"width": 1280, "height": 900})
    window.on("console", lambda message: message.type == "error" and told["errors"].append(message.text))
    window.on("pageerror", lambda error: told["errors"].append(str(error)))
    window.on("request", lambda request: told["requests"].append(request.url))
    window.goto(path.as_uri())
    yield window
    window.close()
    assert told["errors"] == []
    assert all(url.startswith(("file:", "blob:", "data:")) for url in told["requests"]), told["requests"]


def fits(window, width: int) -> bool:
    """Whether nothing sticks out of a window of this width."""
    window.set_viewport_size({"width": width, "height": 900})
    return window.evaluate("document.documentElement.scrollWidth") <= width
