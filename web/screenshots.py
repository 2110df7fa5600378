"""Takes the pictures of the pages that the documentation shows, into docs/images.

    .venv/bin/python web/screenshots.py http://127.0.0.1:3000

from a running `pixelmill serve`, with Debian's Chromium on the PATH or at the path given as second argument.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pyvips
from playwright.sync_api import Page, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = [ROOT / "web" / "public" / "samples" / f"{name}.jpg" for name in ("friends", "fig", "field")]
DESKTOP = ViewportSize(width=1280, height=840)
PHONE = ViewportSize(width=390, height=844)


def keep(page: Page, name: str) -> None:
    """Write the picture with few colours: half a megabyte less, and no eye sees it."""
    picture = pyvips.Image.new_from_buffer(page.screenshot(), "")
    path = ROOT / "docs" / "images" / f"{name}.png"
    picture.write_to_file(f"{path}[palette,Q=88,effort=10,strip]")
    print(path.relative_to(ROOT), f"{path.stat().st_size / 1000:.0f} kB")


def take(page: Page, address: str, look: str) -> None:
    page.goto(address)
    page.get_by_role("radio", name="Instagram").check()
    page.set_input_files("input[type=file]", SAMPLES)
    page.get_by_role("list", name="Chosen photos").locator("img").nth(2).wait_for()
    page.wait_for_timeout(800)
    keep(page, f"choose-{look}")
    page.get_by_role("button", name="Make").click()
    page.get_by_role("heading", name="ready").wait_for()
    page.wait_for_timeout(800)
    keep(page, f"studio-{look}")
    page.get_by_role("link", name="New batch").click()
    page.set_input_files("input[type=file]", SAMPLES[:1])
    page.get_by_role("radio", name="Compress").check()
    page.get_by_role("button", name="Make").click()
    page.get_by_role("link", name="Look at").click()
    page.wait_for_timeout(1000)
    keep(page, f"compare-{look}")
    page.goto(address)
    page.set_input_files("input[type=file]", SAMPLES[1:2])
    page.get_by_role("radio", name="Your own").check()
    page.get_by_role("combobox", name="Add a step").select_option("grayscale")
    preview = page.get_by_role("region", name="Preview")
    preview.get_by_text("quality").wait_for()
    preview.get_by_role("slider").wait_for()
    preview.scroll_into_view_if_needed()
    if look == "phone":  # where it stays in view while the controls scroll
        page.get_by_role("combobox", name="Format").scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    keep(page, f"recipe-{look}")
    page.goto(f"{address}/monitor")
    page.get_by_role("link", name=SAMPLES[0].name).first.wait_for()
    page.wait_for_timeout(1500)
    keep(page, f"monitor-{look}")


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000"
    chromium = sys.argv[2] if len(sys.argv) > 2 else shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for look, viewport in (("light", DESKTOP), ("dark", DESKTOP), ("phone", PHONE)):
            scheme = "dark" if look == "dark" else "light"
            with browser.new_context(color_scheme=scheme, viewport=viewport) as context:
                context.set_default_timeout(120_000)
                take(context.new_page(), address, look)
        browser.close()


if __name__ == "__main__":
    main()
