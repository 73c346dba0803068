"""A headless Chromium for tests of pages: which one, and how it is started."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VARIABLE = "DUALCOST_CHROMIUM"
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def executable() -> str:
    """The path of a Chromium, or of a Chrome.

    Raises:
        RuntimeError: there is none.
    """
    found = os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise RuntimeError(
            f"no {' or '.join(NAMES)} is on the PATH: install one (Debian, Ubuntu: "
            f"apt-get install chromium), or name its file in {VARIABLE}"
        )
    return found


def opener(browser: Browser) -> Callable[..., Page]:
    """What opens a page, by the options of its context.

    Contexts are kept, each with a page that stays open: or every page would start a process, which
    takes longer than most tests.
    """
    contexts: dict[str, BrowserContext] = {}

    def opened(**options: Any) -> Page:
        key = json.dumps(options, sort_keys=True)
        if key not in contexts:
            contexts[key] = browser.new_context(**options)
            contexts[key].new_page()
        return contexts[key].new_page()

    return opened


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that a test may open pages in."""
    # root may not use the sandbox; containers run tests as root
    arguments = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()
