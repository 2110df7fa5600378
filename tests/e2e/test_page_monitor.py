"""The monitor, in a real browser, against a real service with real failures."""

from __future__ import annotations

import json
import re
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.line import line_to
from tests.pages import serious

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.servers import Service


def send(service: Service, files: dict[str, bytes], preset: str = "default") -> str:
    """The id of a batch of these files."""
    mark = uuid.uuid4().hex
    body = f'--{mark}\r\nContent-Disposition: form-data; name="preset"\r\n\r\n{preset}\r\n'.encode()
    for name, content in files.items():
        head = f'--{mark}\r\nContent-Disposition: form-data; name="images"; filename="{name}"\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
    request = urllib.request.Request(
        f"{service.base_url}/process-images", data=body + f"--{mark}--\r\n".encode(), headers=headers
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        batch: str = json.load(answer)["batchId"]
    return batch


def ask(service: Service, path: str) -> Any:
    with urllib.request.urlopen(service.base_url + path, timeout=60) as answer:
        return json.load(answer)


def test_failures_are_found_and_done_again_or_deleted(
    page: Page, start_service: Callable[..., Service], photo: Path
) -> None:
    service = start_service()
    content = photo.read_bytes()
    send(service, {"whole.jpg": content, "cut-1.jpg": content[:90_000], "cut-2.jpg": content[:80_000]})
    page.goto(f"{service.base_url}/monitor")
    expect(page.get_by_role("radio", name="Done 1")).to_be_visible()
    expect(page.get_by_role("radio", name="Failed 2")).to_be_visible()
    page.get_by_role("radio", name="Failed").check()
    images = page.get_by_role("tabpanel")
    expect(images.get_by_role("link", name="cut-1.jpg")).to_be_visible()
    expect(images.get_by_role("link", name="whole.jpg")).to_have_count(0)
    page.get_by_role("button", name="Corrupt image 2").click()
    expect(page).to_have_url(re.compile("state=failed.*errorCode=corrupt-image"))
    assert serious(page) == []

    # Search, one image, and back to the same place.
    page.get_by_role("searchbox").fill("cut-2")
    expect(images.get_by_role("link", name="cut-1.jpg")).to_have_count(0)
    images.get_by_role("link", name="cut-2.jpg").click()
    expect(page.get_by_role("heading", name="cut-2.jpg")).to_be_visible()
    expect(page.get_by_role("heading", name="Tries")).to_be_visible()
    expect(page.get_by_text("try 1 started")).to_be_visible()
    assert serious(page) == []
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("try 2 started")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("cut-2")
    page.get_by_role("searchbox").fill("")

    # Many at once, after a question that names the number.
    expect(page.get_by_role("radio", name="Failed 2")).to_be_visible()
    page.get_by_role("button", name="Try all 2 again").click()
    expect(page.get_by_role("dialog")).to_contain_text("Up to 2 failed images (corrupt image)")
    assert serious(page) == []
    page.get_by_role("button", name="Try 2 again").click()
    expect(page.get_by_text("2 images waiting again.")).to_be_visible()
    expect(page.get_by_role("radio", name="Failed 2")).to_be_visible()
    page.get_by_role("button", name="Delete all 2").click()
    page.get_by_role("button", name="Keep as they are").click()
    page.get_by_role("button", name="Delete all 2").click()
    page.get_by_role("button", name="Delete 2 for good").click()
    expect(page.get_by_text("2 images deleted.")).to_be_visible()
    expect(page.get_by_role("radio", name="Failed 0")).to_be_visible()
    expect(images.get_by_role("link")).to_have_count(0)
    assert ask(service, "/dead-letters")["deadLetters"] == []


def test_many_are_chosen_and_done_together(page: Page, start_service: Callable[..., Service], photo: Path) -> None:
    """Each act is asked for with its number, and leaves a line in the audit."""
    service = start_service()
    page.goto(f"{service.base_url}/monitor")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    content = photo.read_bytes()
    send(service, {f"photo-{number}.jpg": content for number in range(4)})
    panel = page.get_by_role("tabpanel")
    expect(panel.get_by_role("checkbox", name="Select photo-3.jpg")).to_be_visible()
    for number in (1, 2):
        panel.get_by_role("checkbox", name=f"Select photo-{number}.jpg").check()
    expect(panel.get_by_text("2 selected")).to_be_visible()
    assert serious(page) == []
    panel.get_by_role("button", name="Cancel 2").click()
    expect(page.get_by_role("dialog")).to_contain_text("2 images will not be made.")
    page.get_by_role("button", name="Leave as it is").click()
    expect(page.get_by_role("radio", name="Waiting 4")).to_be_visible()
    panel.get_by_role("button", name="Cancel 2").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel 2").click()
    expect(panel.get_by_text("2 images canceled.")).to_be_visible()
    expect(page.get_by_role("radio", name="Canceled 2")).to_be_visible()
    panel.get_by_role("checkbox", name="Select all 4 shown").check()
    panel.get_by_role("button", name="Cancel 2").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel 2").click()
    expect(page.get_by_role("radio", name="Canceled 4")).to_be_visible()
    page.get_by_role("tab", name="Audit").click()
    expect(page.get_by_role("tabpanel").get_by_text("job.canceled")).to_have_count(4)


def test_news_come_by_the_stream_and_what_was_missed_comes_after(
    page: Page, start_service: Callable[..., Service], photo: Path
) -> None:
    service = start_service()
    content = photo.read_bytes()
    panel = page.get_by_role("tabpanel")
    with line_to(service.base_url) as line:
        page.goto(f"{line.url}/monitor")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        expect(page.get_by_role("radio", name="Done 0")).to_be_visible()
        send(service, {"seen.jpg": content})
        expect(page.get_by_role("radio", name="Done 1")).to_be_visible()
        expect(panel.get_by_role("link", name="seen.jpg")).to_contain_text("Done")

        line.cut()  # as by a laptop that is closed
        expect(page.get_by_text("Connection lost")).to_be_visible()
        send(service, {"missed.jpg": content})
        line.mend()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        expect(page.get_by_role("radio", name="Done 2")).to_be_visible()
        expect(panel.get_by_role("link", name="missed.jpg")).to_contain_text("Done")


def test_one_image_with_all_that_is_known_of_it(page: Page, service: Service, photo: Path) -> None:
    send(service, {"whole.jpg": photo.read_bytes()}, preset="instagram")
    page.goto(f"{service.base_url}/monitor?name=whole.jpg")
    page.get_by_role("tabpanel").get_by_role("link", name="whole.jpg").click()
    expect(page.get_by_role("heading", name="whole.jpg")).to_be_visible()
    expect(page.get_by_text("try 1 completed")).to_be_visible()
    original = page.get_by_role("img", name="whole.jpg, as it was sent")
    expect(original).to_be_visible()
    original.evaluate("(image) => image.decode()")
    page.get_by_text("instagram, 5 variants").click()
    expect(page.get_by_role("region", name="Recipe as JSON")).to_contain_text('"name": "square"')
    assert serious(page) == []
    with page.expect_download() as download:
        page.get_by_role("link", name="original").click()
    assert Path(download.value.path()).read_bytes() == photo.read_bytes()
    page.get_by_role("link", name="Look at square of whole.jpg").click()
    expect(page.get_by_role("dialog", name="square of whole.jpg")).to_be_visible()


def test_who_may_only_read_sees_all_and_changes_nothing(
    page: Page, start_service: Callable[..., Service], photo: Path
) -> None:
    service = start_service()
    send(service, {"cut.jpg": photo.read_bytes()[:90_000]})
    body = json.dumps({"name": "watcher", "scopes": ["read"]}).encode()
    request = urllib.request.Request(f"{service.base_url}/keys", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        key = json.load(answer)["secret"]
    page.goto(f"{service.base_url}/monitor")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Go in").click()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_role("tab")).to_have_text(["Images", "Workers"])
    page.get_by_role("radio", name="Failed 1").check()
    expect(page.get_by_role("button", name="Corrupt image 1")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Pause|again|Delete"))).to_have_count(0)
    expect(page.get_by_role("checkbox")).to_have_count(0)
    page.get_by_role("tabpanel").get_by_role("link", name="cut.jpg").click()
    expect(page.get_by_role("heading", name="cut.jpg")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("again|Delete"))).to_have_count(0)


def test_the_queue_is_paused_and_resumed(page: Page, start_service: Callable[..., Service], photo: Path) -> None:
    service = start_service()
    page.goto(f"{service.base_url}/monitor")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused: nothing new is taken")).to_be_visible()
    send(service, {"later.jpg": photo.read_bytes()})
    expect(page.get_by_role("radio", name="Waiting 1")).to_be_visible()
    expect(page.get_by_role("tabpanel").get_by_role("link", name="later.jpg")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("radio", name="Done 1")).to_be_visible()
    page.get_by_role("tab", name="Workers").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("Worker")
    expect(page.get_by_role("tabpanel")).to_contain_text("version")
    page.get_by_role("tab", name="Audit").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("queue.resumed")
    expect(page.get_by_role("tabpanel")).to_contain_text("queue.paused")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_for_everyone(page: Page, service: Service, photo: Path, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 800})
    send(service, {"photo.jpg": photo.read_bytes()})
    page.goto(f"{service.base_url}/monitor")
    for tab in ("Images", "Workers", "Audit"):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tabpanel", name=tab)).to_be_visible()
        assert serious(page) == [], tab
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{tab}: {wide} pixels too wide"
