"""Sending from the pages: resumable, and a lost connection or a reload costs nothing that was sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.line import line_to
from tests.pages import choose, row

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

    from tests.servers import Service


@pytest.fixture
def large(photos: list[Path]) -> Path:
    return max((photo for photo in photos if photo.stat().st_size < 5 << 20), key=lambda photo: photo.stat().st_size)


def send_slowly(page: Page, address: str, photo: Path) -> list[Request]:
    """Begin to send it, so slowly that it takes seconds; the requests that tell of uploads, as they come."""
    found: list[Request] = []
    page.on("request", lambda request: found.append(request) if "/uploads/tus" in request.url else None)
    page.goto(address)
    page.get_by_role("radio", name="Default").check()
    choose(page, photo)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": photo.stat().st_size / 8}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    page.get_by_role("button", name="Make").click()
    expect(page.get_by_text(re.compile("[1-9][0-9]? % sent"))).to_be_visible()
    return found


def methods(found: list[Request]) -> list[str]:
    return [request.method for request in found]


def test_a_reload_goes_on_where_it_broke_off(page: Page, service: Service, large: Path) -> None:
    found = send_slowly(page, service.base_url, large)
    page.reload()
    # The photo is on the table again, and on its way: nobody had to choose it anew.
    expect(page.get_by_role("heading", level=1)).to_have_text("Your variant is ready.")
    expect(row(page, large.name).locator("[data-state=completed]")).to_have_count(1)
    assert methods(found).count("POST") == 1
    assert methods(found).count("HEAD") >= 1
    assert int(found[-1].headers["upload-offset"]) > 0
    # It is sent once, and nothing is left to go on with.
    page.goto(service.base_url)
    expect(page.get_by_text("Drop photos here")).to_be_visible()


def test_a_lost_connection_comes_back(page: Page, service: Service, large: Path) -> None:
    with line_to(service.base_url) as line:
        found = send_slowly(page, line.url, large)
        line.cut()
        expect(page.get_by_text("No connection.")).to_be_visible()
        line.mend()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your variant is ready.")
    assert methods(found).count("POST") == 1
    assert int(found[-1].headers["upload-offset"]) > 0


def test_sending_is_stopped_and_leaves_nothing(page: Page, service: Service, large: Path) -> None:
    found = send_slowly(page, service.base_url, large)
    with page.expect_request(lambda request: request.method == "DELETE"):
        page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Make 1 variant")).to_be_enabled()
    page.reload()
    expect(page.get_by_text("Drop photos here")).to_be_visible()
    assert methods(found).count("POST") == 1


def test_it_goes_on_behind_another_page(page: Page, service: Service, large: Path) -> None:
    send_slowly(page, service.base_url, large)
    page.get_by_role("link", name="Batches").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Batches")
    page.get_by_role("link", name="Studio").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your variant is ready.")
