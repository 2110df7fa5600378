"""What the pages cost a browser: bytes, time until they can be used, and how smooth a large batch stays.

``python bench/pages/run.py [--images N] [--loads N]``

Starts a service of its own and opens it in headless Chromium. A *long task* is one that keeps the page from answering
for more than 50 ms (https://www.w3.org/TR/longtasks-1/). Each is shown with the CPU time it took: on a machine that is
busy with the batch itself, the rest of its length is waiting for the CPU. Nothing is asserted: the figures belong to
the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pyvips
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests import servers  # noqa: E402

PHOTO = ROOT / "tests" / "data" / "photos" / "field.jpg"
PATIENCE = 600_000  # milliseconds
MARK = "bench."
WATCH = """
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


class Task(NamedTuple):
    """One long task of the page, in milliseconds: how long it took, and the CPU time of it."""

    length: float
    cpu: float


def stream(browser: Browser, page: Page, address: str, photos: list[Path]) -> dict[str, list[Task]]:
    """Send a large batch; the long tasks while photos are added, sent, made and looked through."""
    page.goto(address)
    page.get_by_role("radio", name="Thumbnail").check()

    def phase(name: str) -> None:
        page.evaluate("(name) => performance.mark(name)", MARK + name)

    browser.start_tracing(page=page, categories=["toplevel", "blink.user_timing"])
    phase("added")
    page.set_input_files("input[type=file]", photos)
    # Waited for by plain selectors: to find a role, Playwright computes the style of every element, as a long task.
    page.locator("button", has_text=f"from {len(photos)} photos").wait_for()
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")  # only what is near the window is there
    page.locator("ol[aria-label^='Chosen photos']").last.locator("li img").last.wait_for(state="attached")
    page.evaluate("window.scrollTo(0, 0)")
    phase("sent")
    page.locator("button", has_text="Make").click()
    page.wait_for_url("**/batches/*")
    phase("made")
    page.locator("h1", has_text="ready").wait_for()
    phase("scrolled")
    page.mouse.wheel(0, 20_000)
    page.wait_for_timeout(1000)
    phase("over")
    return long_tasks(json.loads(browser.stop_tracing())["traceEvents"])


def long_tasks(events: list[dict[str, Any]]) -> dict[str, list[Task]]:
    """Those of the thread that set the marks, by the mark before them. A trace's times are in microseconds."""
    marks = [event for event in events if event["name"].startswith(MARK)]
    home = {(mark["pid"], mark["tid"]) for mark in marks}
    found: dict[str, list[Task]] = {mark["name"].removeprefix(MARK): [] for mark in marks[:-1]}
    for event in events:
        if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in home and event.get("dur", 0) > 50_000:
            before = [mark["name"] for mark in marks[:-1] if mark["ts"] <= event["ts"]]
            if before:
                found[before[-1].removeprefix(MARK)].append(Task(event["dur"] / 1000, event.get("tdur", 0) / 1000))
    return found


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
            for phase, tasks in stream(browser, page, service.base_url, small_photos(wanted.images, folder)).items():
                over = sum(task.length > 100 for task in tasks)
                longest = max(tasks, default=Task(0, 0))
                most = max((task.cpu for task in tasks), default=0)
                print(
                    f"  {phase:9} {len(tasks):3} long, {over:3} over 100 ms, longest {longest.length:.0f} ms "
                    f"(CPU {longest.cpu:.0f} ms); most CPU {most:.0f} ms"
                )
        finally:
            browser.close()
            service.stop()


if __name__ == "__main__":
    main()
