"""The browser that the page's tests rest on: it renders, with fonts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyvips

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_chromium_renders_text(page: Page, tmp_path: Path) -> None:
    page.set_content("<body style='font: 80px sans-serif'>mill</body>")
    page.screenshot(path=tmp_path / "page.png")
    picture = pyvips.Image.new_from_file(str(tmp_path / "page.png"), access="sequential")
    assert picture.min() < 40, "no dark pixel: the text was not drawn"
    assert page.evaluate("document.body.innerText") == "mill"
    wide, narrow = (
        page.evaluate(
            f"(c => (c.font = '80px sans-serif', c.measureText('{word}').width))"
            "(document.createElement('canvas').getContext('2d'))"
        )
        for word in ("mmm", "iii")
    )
    assert wide > 1.5 * narrow, "every letter is as wide as the others: no font was found"
