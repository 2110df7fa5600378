"""What a person does with the pages, for the tests that drive them in a browser."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.servers import Service

#: Milliseconds: the machine may be busy with other tests.
PATIENCE = 60_000
NOT_AN_IMAGE = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Bread, milk, film."}

expect.set_options(timeout=PATIENCE)


def variants(service: Service, preset: str) -> list[str]:
    """The names of what a preset makes."""
    with urllib.request.urlopen(f"{service.base_url}/presets", timeout=60) as answer:
        presets = json.load(answer)["presets"]
    found = next(one for one in presets if one["name"] == preset)
    return [one["name"] for one in found["recipe"]["variants"]]


def choose(page: Page, *files: Path | dict[str, Any]) -> None:
    payloads = [
        file if isinstance(file, dict) else {"name": file.name, "mimeType": "image/jpeg", "buffer": file.read_bytes()}
        for file in files
    ]
    page.set_input_files("input[type=file]", payloads)  # type: ignore[arg-type]


def make(page: Page) -> None:
    page.get_by_role("button", name="Make").click()
    page.wait_for_url("**/batches/*")


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name, level=2))


def serious(page: Page) -> list[str]:
    """What axe-core finds of weight, each with the elements concerned."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {[node['target'] for node in one['nodes']]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
