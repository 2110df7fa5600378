"""What the pages cost a browser: bytes, time until they can be used, and how smooth a large batch stays.

``python bench/pages/run.py [--images N] [--loads N]``

Starts a service of its own and opens it in headless Chromium. A *long task* is one that keeps the page from answering
for more than 50 ms (https://www.w3.org/TR/longtasks-1/). Nothing is asserted: the figures belong to the machine.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import pyvips
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests import servers  # noqa: E402

PHOTO = ROOT / "tests" / "data" / "photos" / "field.jpg"
PATIENCE = 600_000  # milliseconds
WATCH = """
  window.long = [];
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) window.long.push([startTime, duration]);
  }).observe({ type: "longtask", buffered: true });
  // Usable: the presets are there to choose from, and photos can be added.
  new MutationObserver((_, observer) => {
    if (!document.querySelector("input[name=preset]")) return;
    window.usable = performance.now();
    observer.disconnect();
  }).observe(document, { childList: true, subtree: true });
"""


def load(browser: Browser, address: str) -> tuple[dict[str, int], float, float]:
    """A first visit: bytes over the wire by kind, then milliseconds to the first paint and until it can be used."""
    sizes: dict[str, int] = {}
    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(WATCH)
        page.on(
            "requestfinished",
            lambda request: sizes.update(
                {request.resource_type: sizes.get(request.resource_type, 0) + request.sizes()["responseBodySize"]}
            ),
        )
        page.goto(address, wait_until="networkidle")
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN")
        return sizes, paint, page.evaluate("window.usable")


def small_photos(count: int, folder: Path) -> list[Path]:
    """``count`` different parts of one photograph, 320 by 240 pixels each."""
    photo = pyvips.Image.new_from_file(str(PHOTO))
    paths = []
    for number in range(count):
        left, top = number * 4 % (photo.width - 320), number * 2 % (photo.height - 240)
        path = folder / f"photo-{number:03}.jpg"
        photo.crop(left, top, 320, 240).write_to_file(f"{path}[Q=80]")
        paths.append(path)
    return paths


def stream(page: Page, address: str, photos: list[Path]) -> dict[str, list[float]]:
    """Send a large batch; the lengths of long tasks in milliseconds while photos are added, sent, and made."""
    page.goto(address)
    page.get_by_role("radio", name="Thumbnail").check()
    since = page.evaluate("performance.now()")
    phases = {}

    def phase(name: str) -> None:
        nonlocal since
        until = page.evaluate("performance.now()")
        tasks = page.evaluate("window.long")
        phases[name] = [length for start, length in tasks if since <= start < until]
        since = until

    page.set_input_files("input[type=file]", photos)
    # Waited for by plain selectors: to find a role, Playwright computes the style of every element, as a long task.
    page.locator("button", has_text=f"from {len(photos)} photos").wait_for()
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")  # only what is near the window is there
    page.locator("ol[aria-label^='Chosen photos']").last.locator("li img").last.wait_for(state="attached")
    page.evaluate("window.scrollTo(0, 0)")
    phase("added")
    page.locator("button", has_text="Make").click()
    page.wait_for_url("**/batches/*")
    phase("sent")
    page.locator("h1", has_text="ready").wait_for()
    phase("made")
    page.mouse.wheel(0, 20_000)
    page.wait_for_timeout(1000)
    phase("scrolled")
    return phases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--loads", type=int, default=5)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        service = servers.start_service(
            folder / "data", folder / "log.txt", {"PIXELMILL_MAX_FILES": str(wanted.images)}, patience=180
        )
        browser = playwright.chromium.launch(
            executable_path=servers.find_program("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            loads = [load(browser, service.base_url) for _ in range(wanted.loads)]
            sizes = loads[0][0]
            print(f"First page over the wire, kB: {', '.join(f'{k} {v / 1000:.1f}' for k, v in sorted(sizes.items()))}")
            print(f"First paint, median of {wanted.loads}: {statistics.median(one[1] for one in loads):.0f} ms")
            print(f"Usable, median of {wanted.loads}: {statistics.median(one[2] for one in loads):.0f} ms")
            page = browser.new_page()
            page.set_default_timeout(PATIENCE)
            page.add_init_script(WATCH)
            print(f"Long tasks with {wanted.images} photos, two variants each:")
            for phase, tasks in stream(page, service.base_url, small_photos(wanted.images, folder)).items():
                over = sum(length > 100 for length in tasks)
                print(f"  {phase:9} {len(tasks):3} long, {over:3} over 100 ms, longest {max(tasks, default=0):.0f} ms")
        finally:
            browser.close()
            service.stop()


if __name__ == "__main__":
    main()
