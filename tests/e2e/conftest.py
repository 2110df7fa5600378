"""A tab that watches itself: faults of the script or of its security policy, and layout that moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.pages import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

# Layout that moved by itself, as Chromium sums it up: https://web.dev/cls
WATCH_SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push(entry.value);
  }).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab that fails the test when the page's script, or its security policy, finds a fault."""
    faults: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # Chromium logs each answer of 400 and above itself; those are shown to the person, and tested below.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            faults.append(message.text)

    with browser.new_context(accept_downloads=True, viewport={"width": 1280, "height": 860}) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", hear)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.add_init_script(WATCH_SHIFTS)
        yield page
    assert faults == []
