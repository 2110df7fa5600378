"""The pages, as a person meets them: in a real browser, against the real service, with real photographs."""

from __future__ import annotations

import io
import json
import re
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.pages import NOT_AN_IMAGE, choose, make, row, serious, variants

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.servers import Service

TIMES = "\N{MULTIPLICATION SIGN}"


def test_photos_become_variants(page: Page, service: Service, photos: list[Path]) -> None:
    page.goto(service.base_url)
    expect(page.get_by_text("Up to 10 photos in one batch, 5 MB each.")).to_be_visible()
    expect(page.get_by_role("button", name="Add a photo to start")).to_be_disabled()
    choose(page, *photos[:3])
    page.get_by_role("radio", name="Instagram").check()
    names = variants(service, "instagram")
    total = 3 * len(names)
    expect(page.get_by_role("button", name=f"Make {total} variants from 3 photos")).to_be_enabled()
    make(page)

    expect(page.get_by_role("heading", level=1)).to_have_text(f"All {total} variants are ready.")
    for photo in photos[:3]:
        its = row(page, photo.name)
        before = photo.stat().st_size
        expect(its).to_contain_text(f"{before / 1024:.0f} kB")
        for name in names:
            tile = its.locator(f"[data-variant={name}]")
            expect(tile).to_have_attribute("data-state", "completed")
            expect(tile).to_contain_text(re.compile(r"\d+ kB JPEG"))
            expect(tile).to_contain_text(re.compile(r"\d+ % (smaller|larger)"))
    expect(row(page, "field.jpg").locator("[data-variant=square]")).to_contain_text(f"1080 {TIMES} 1080")
    # Each picture is really there.
    page.evaluate("Promise.all([...document.images].map((image) => ((image.loading = 'eager'), image.decode())))")

    with page.expect_download() as download:
        page.get_by_role("link", name="Download square of field.jpg").click()
    assert download.value.suggested_filename == "field-square.jpg"
    assert Path(download.value.path()).read_bytes()[:3] == b"\xff\xd8\xff"

    with page.expect_download() as download:
        page.get_by_role("link", name="Download all").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert sum(name.endswith(".jpg") for name in archive.namelist()) == total

    assert sum(page.evaluate("shifts")) < 0.1


def post(service: Service, path: str) -> None:
    request = urllib.request.Request(service.base_url + path, method="POST")
    urllib.request.urlopen(request, timeout=60).close()


def test_variants_arrive_by_the_stream(page: Page, service: Service, photo: Path) -> None:
    """After the first read of the batch nothing but its event stream brings news, until the log has ended."""
    asked: list[tuple[str, str]] = []
    page.on("request", lambda request: asked.append((request.resource_type, request.url)))
    page.goto(service.base_url)
    choose(page, photo)
    page.get_by_role("radio", name="Instagram").check()
    # Nothing is made before the page looks, however slow it is.
    post(service, "/queue/pause")
    make(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("waiting")
    post(service, "/queue/resume")
    expect(page.get_by_role("heading", level=1)).to_contain_text("ready")
    batch = page.url.partition("#")[0]
    assert asked.count(("eventsource", f"{batch}/events")) == 1
    assert asked.count(("fetch", batch)) <= 2


def test_a_batch_has_an_address_of_its_own(page: Page, service: Service, photo: Path) -> None:
    page.goto(service.base_url)
    choose(page, photo)
    page.get_by_role("radio", name="Default").check()
    make(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your variant is ready.")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your variant is ready.")
    expect(row(page, photo.name).locator("[data-variant=default]")).to_contain_text(f"512 {TIMES}")
    page.get_by_role("link", name="New batch").click()
    expect(page.get_by_role("heading", name="One photo in, every size out.")).to_be_visible()


def test_all_batches_are_listed(page: Page, service: Service, photo: Path) -> None:
    page.goto(service.base_url)
    choose(page, photo)
    page.get_by_role("radio", name="Thumbnail").check()
    make(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("ready")
    batch = page.url
    page.get_by_role("link", name="Batches").click()
    newest = page.get_by_role("main").get_by_role("link").first
    expect(newest).to_contain_text("Thumbnail")
    expect(newest).to_contain_text("Ready")
    newest.click()
    page.wait_for_url(batch)
    page.goto(f"{service.base_url}/batches")
    page.get_by_role("radio", name="Canceled").check()
    expect(page.get_by_text("No batch is in this state.")).to_be_visible()


def test_a_recipe_by_hand(page: Page, service: Service, photo: Path) -> None:
    page.goto(service.base_url)
    choose(page, photo)
    page.get_by_role("radio", name="Your own").check()
    name = page.get_by_role("textbox", name="Name")
    name.fill("No name")
    expect(page.get_by_role("button", name="Mend the recipe first")).to_be_disabled()
    expect(page.get_by_text("(at /variants/0/name)")).to_be_visible()
    name.fill("poster")
    page.get_by_role("textbox", name="Width").fill("300")
    page.get_by_role("combobox", name="Add a step").select_option("grayscale")
    page.get_by_role("button", name="Move grayscale up").click()
    page.get_by_role("combobox", name="Format").select_option("png")
    page.get_by_role("combobox", name="Quality").fill("")
    page.get_by_role("button", name="JSON and curl").click()
    dialog = page.get_by_role("dialog")
    text = dialog.get_by_role("textbox", name="Recipe as JSON")
    recipe = json.loads(text.input_value())
    assert recipe["variants"][0] == {
        "name": "poster",
        "steps": [{"op": "grayscale"}, {"op": "resize", "width": 300}],
        "output": {"format": "png"},
    }
    expect(dialog).to_contain_text("curl ")
    text.fill("{")
    dialog.get_by_role("button", name="Use this recipe").click()
    expect(dialog.get_by_role("alert")).to_contain_text("This is not JSON")
    recipe["variants"] = recipe["variants"][:1]
    text.fill(json.dumps(recipe))
    assert serious(page) == []
    dialog.get_by_role("button", name="Use this recipe").click()
    assert serious(page) == []
    page.get_by_role("button", name="Make 1 variant from 1 photo").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your variant is ready.")
    expect(row(page, photo.name).locator("[data-variant=poster]")).to_contain_text(f"300 {TIMES}")
    expect(row(page, photo.name).locator("[data-variant=poster]")).to_contain_text("PNG")


def test_a_recipe_is_tried_on_the_photo_while_it_is_written(page: Page, service: Service, photo: Path) -> None:
    page.goto(service.base_url)
    page.get_by_role("radio", name="Your own").check()
    preview = page.get_by_role("region", name="Preview")
    expect(preview).to_contain_text("on a sample")
    expect(preview.get_by_role("status")).to_contain_text(re.compile(f"1600 {TIMES} .*smaller, quality"))
    choose(page, photo)
    expect(preview).to_contain_text(photo.name)
    width = page.get_by_role("textbox", name="Width")
    for text in ("2", "23", "234"):
        width.fill(text)
    # Whatever was asked for on the way, the last one is shown.
    expect(preview.get_by_role("status")).to_contain_text(f"234 {TIMES} 132")
    # The photo lies beside it, and the two zoom together.
    expect(preview.get_by_role("slider")).to_be_visible()
    width.fill("0")
    expect(preview.get_by_role("status")).to_have_text("Mend the recipe to see it.")
    with urllib.request.urlopen(f"{service.base_url}/batches?limit=30", timeout=60) as answer:
        batches = json.load(answer)["batches"]
    tries = sum(batch["metadata"] == {"preview": True} for batch in batches)
    assert tries > 0
    page.goto(f"{service.base_url}/batches")
    expect(page.get_by_role("main").get_by_role("listitem")).to_have_count(len(batches) - tries)


def test_on_a_phone_the_preview_stays_while_its_controls_scroll(page: Page, service: Service) -> None:
    page.set_viewport_size({"width": 320, "height": 568})
    page.goto(service.base_url)
    page.get_by_role("radio", name="Your own").check()
    picture = page.get_by_role("region", name="Preview").get_by_role("slider")
    for control in (page.get_by_role("textbox", name="Width"), page.get_by_role("button", name="Add a variant")):
        control.focus()
        expect(control).to_be_in_viewport()
        expect(picture).to_be_in_viewport()


def test_an_archive_is_opened(page: Page, service: Service, photos: list[Path]) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for photo in photos:
            archive.write(photo, f"holiday/{photo.name}")
        archive.writestr("holiday/notes.txt", "Bread, milk, film.")
    page.goto(service.base_url)
    expect(page.get_by_role("radio", name="Instagram")).to_be_visible()
    choose(page, {"name": "holiday.zip", "mimeType": "application/zip", "buffer": packed.getvalue()})
    for photo in photos:
        expect(page.get_by_role("button", name=f"Remove {photo.name}")).to_be_visible()
    expect(page.get_by_role("button", name="Remove notes.txt")).to_have_count(0)
    choose(page, {"name": "broken.zip", "mimeType": "application/zip", "buffer": packed.getvalue()[:1000]})
    expect(page.get_by_role("alert")).to_contain_text("broken.zip cannot be opened")


def test_photos_on_the_web(page: Page, start_service: Callable[..., Service]) -> None:
    service = start_service({"PIXELMILL_ALLOW_HOSTS": "127.0.0.1"})
    page.goto(service.base_url)
    page.get_by_role("radio", name="Default").check()
    page.get_by_role("button", name="Take photos from the web").click()
    dialog = page.get_by_role("dialog", name="Photos on the web")
    field = dialog.get_by_role("textbox")
    field.fill("ftp://example.com/a.jpg")
    expect(dialog.get_by_text("is no http or https address")).to_be_visible()
    assert serious(page) == []
    field.fill(f"{service.base_url}/samples/field.jpg\n{service.base_url}/livez")
    dialog.get_by_role("button", name="Make 2 variants from 2 photos").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 variant ready, 1 photo failed.")
    expect(row(page, "field.jpg").locator("[data-state=completed]")).to_have_count(1)
    expect(row(page, "livez")).to_contain_text("Unsupported format.")


def test_a_refused_file_has_its_reason_beside_it(page: Page, service: Service, photo: Path) -> None:
    page.goto(service.base_url)
    choose(page, NOT_AN_IMAGE, photo)
    make(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("1 photo failed")
    expect(row(page, "notes.txt")).to_contain_text("Unsupported format. ")
    expect(row(page, photo.name).locator("[data-state=completed]")).to_have_count(len(variants(service, "instagram")))


def test_a_request_refused_whole_can_be_mended(page: Page, service: Service, photo: Path) -> None:
    page.goto(service.base_url)
    choose(page, NOT_AN_IMAGE)
    page.get_by_role("button", name="Make").click()
    expect(page.get_by_role("alert")).to_contain_text("None of these photos could be taken.")
    slide = page.get_by_role("list", name="Chosen photos").get_by_role("listitem").filter(has_text="notes.txt")
    expect(slide).to_contain_text("JPEG, PNG, WebP")
    expect(page.get_by_role("button", name="Add a photo to start")).to_be_disabled()
    choose(page, photo)
    page.get_by_role("button", name="Remove notes.txt").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    make(page)


def test_limits_are_told_before_sending(page: Page, service: Service, photo: Path) -> None:
    page.goto(service.base_url)
    expect(page.get_by_text("5 MB each")).to_be_visible()
    small = photo.read_bytes()[:1000]
    choose(
        page,
        {"name": "huge.jpg", "mimeType": "image/jpeg", "buffer": bytes(6 * 1024 * 1024)},
        {"name": "empty.jpg", "mimeType": "image/jpeg", "buffer": b""},
        *({"name": f"{n}.jpg", "mimeType": "image/jpeg", "buffer": small + bytes([n])} for n in range(11)),
    )
    table = page.get_by_role("list", name="Chosen photos")
    expect(table.get_by_role("listitem").filter(has_text="huge.jpg")).to_contain_text("6 MB is over the limit of 5 MB.")
    expect(table.get_by_role("listitem").filter(has_text="empty.jpg")).to_contain_text("The file is empty.")
    expect(table.get_by_role("listitem").filter(has_text="10.jpg")).to_contain_text("Over 10 photos")
    expect(page.get_by_role("button", name="from 10 photos")).to_be_enabled()
    page.get_by_role("button", name="Remove 0.jpg").click()
    expect(table.get_by_role("listitem").filter(has_text="10.jpg")).not_to_contain_text("Over 10 photos")


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_photos_are_dropped_and_pasted(page: Page, service: Service, photo: Path, way: str) -> None:
    page.goto(service.base_url)
    expect(page.get_by_text("Drop photos here")).to_be_visible()
    page.evaluate(
        """async ([way, numbers]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(numbers)], "dropped.jpg", { type: "image/jpeg" }));
          const event = way === "drop"
            ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
          document.body.dispatchEvent(event);
        }""",
        [way, list(photo.read_bytes())],
    )
    expect(page.get_by_role("button", name="Remove dropped.jpg")).to_be_visible()
    page.get_by_role("button", name="Remove dropped.jpg").click()
    expect(page.get_by_text("Drop photos here")).to_be_visible()


def test_by_keyboard_alone(page: Page, service: Service) -> None:
    page.goto(service.base_url)
    expect(page.get_by_role("radio", name="Instagram")).to_be_visible()

    def tab_to(name: str) -> None:
        seen = []
        for _ in range(40):
            page.keyboard.press("Tab")
            seen.append(
                page.evaluate("(e => (e.ariaLabel || e.labels?.[0]?.innerText || e.innerText))(document.activeElement)")
            )
            if re.search(name, seen[-1] or ""):
                outline = page.evaluate(
                    """((e) => [e, e.closest('label') ?? e]
                    .some((one) => getComputedStyle(one).outlineStyle !== 'none'))(document.activeElement)"""
                )
                assert outline, f"the focus on {name} cannot be seen"
                return
        raise AssertionError(f"Tab does not reach {name}: {seen}")

    tab_to("sample photo: A fig")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove fig.jpg")).to_be_visible()
    tab_to("Instagram")
    avatar = page.get_by_role("radio", name="Avatar")
    for _ in range(30):
        if avatar.is_checked():
            break
        page.keyboard.press("ArrowDown")
    expect(avatar).to_be_checked()
    tab_to("Make 2 variants")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("All 2 variants are ready.")
    tab_to("Look at large of fig.jpg")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="large of fig.jpg")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog", name="small of fig.jpg")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_variant_beside_its_original(page: Page, service: Service, photo: Path) -> None:
    page.goto(service.base_url)
    choose(page, photo)
    page.get_by_role("radio", name="Compress").check()
    make(page)
    page.get_by_role("link", name=f"Look at compressed of {photo.name}").click()
    viewer = page.get_by_role("dialog")
    expect(viewer).to_contain_text(f"2672 {TIMES} 1504")
    slider = viewer.get_by_role("slider")
    old = viewer.locator("img").nth(1)
    half = old.evaluate("(image) => image.style.clipPath")
    slider.focus()
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "100 % original")
    assert old.evaluate("(image) => image.style.clipPath") != half
    viewer.get_by_role("button", name="1:1 pixels").click()
    # Both pictures zoom together, to the variant's own pixels.
    sizes = viewer.locator("img").evaluate_all("(images) => images.map((image) => image.clientWidth)")
    made = viewer.locator("img").first.evaluate("(image) => image.naturalWidth")
    assert sizes == [made, made]
    page.go_back()
    expect(viewer).to_have_count(0)
    # Another browser has the photo from the service.
    page.reload()
    page.get_by_role("link", name=f"Look at compressed of {photo.name}").click()
    expect(viewer.get_by_role("slider")).to_be_visible()
    assert viewer.locator("img").nth(1).get_attribute("src").endswith("/original")


def test_a_failed_photo_is_tried_again(page: Page, service: Service, photo: Path) -> None:
    page.goto(service.base_url)
    choose(page, {"name": "cut.jpg", "mimeType": "image/jpeg", "buffer": photo.read_bytes()[:100_000]})
    page.get_by_role("radio", name="Default").check()
    make(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("No variant could be made.")
    expect(row(page, "cut.jpg")).to_contain_text("Corrupt image.")
    with page.expect_response(re.compile("/retry$")) as answer:
        row(page, "cut.jpg").get_by_role("button", name="Try cut.jpg again").click()
    assert answer.value.status == 202
    expect(page.get_by_role("heading", level=1)).to_have_text("No variant could be made.")
    expect(row(page, "cut.jpg")).to_contain_text("Corrupt image.")


def test_a_batch_is_canceled(page: Page, service: Service, photos: list[Path]) -> None:
    page.goto(service.base_url)
    choose(page, *photos)
    page.get_by_role("radio", name="Social").check()
    make(page)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel what is not made yet?").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This batch was canceled.")


def test_a_batch_is_shared(page: Page, browser: Browser, service: Service, photo: Path) -> None:
    page.goto(service.base_url)
    choose(page, photo)
    page.get_by_role("radio", name="Thumbnail").check()
    make(page)
    page.get_by_role("button", name="Share").click()
    dialog = page.get_by_role("dialog", name="Share this batch")
    dialog.get_by_role("button", name="Make a link").click()
    link = dialog.get_by_role("textbox", name="The link").input_value()
    assert serious(page) == []
    with browser.new_context() as elsewhere:
        guest = elsewhere.new_page()
        guest.goto(link)
        expect(guest.get_by_role("heading", level=1)).to_contain_text("ready")
        guest.get_by_role("link", name="Look at").first.click()
        expect(guest.get_by_role("dialog")).to_be_visible()
        expect(guest.get_by_role("slider")).to_have_count(0)  # the photo itself is not shared
        guest.keyboard.press("Escape")
        expect(row(guest, photo.name).locator("[data-state=completed]")).to_have_count(2)
        expect(guest.get_by_role("button", name="Share")).to_have_count(0)
        dialog.get_by_role("button", name="End the link").first.click()
        expect(dialog.get_by_role("button", name="End the link")).to_have_count(0)
        guest.reload()
        expect(guest.get_by_role("heading", level=1)).to_have_text("This batch is not here.")


def test_a_service_with_keys_asks_for_one(page: Page, start_service: Callable[..., Service], photo: Path) -> None:
    service = start_service()
    body = json.dumps({"name": "page", "scopes": ["upload", "read", "admin"]}).encode()
    request = urllib.request.Request(
        f"{service.base_url}/keys", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        key = json.load(answer)["secret"]
    page.goto(service.base_url)
    expect(page.get_by_role("heading", level=1)).to_have_text("This service asks for a key.")
    assert serious(page) == []
    field = page.get_by_label("API key")
    field.fill(key[:-4] + "0000")
    page.get_by_role("button", name="Go in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    field.fill(key)
    page.get_by_role("button", name="Go in").click()
    choose(page, photo)
    page.get_by_role("radio", name="Default").check()
    make(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your variant is ready.")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your variant is ready.")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This service asks for a key.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_for_everyone(page: Page, service: Service, photo: Path, scheme: str, width: int) -> None:
    """Nothing serious for axe-core and nothing wider than the window, in each state that the pages have."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 800})

    def check(state: str) -> None:
        page.evaluate("Promise.allSettled(document.getAnimations().map((one) => one.finished)).then(() => {})")
        assert serious(page) == [], state
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{state}: {wide} pixels too wide"

    page.goto(service.base_url)
    expect(page.get_by_role("radio", name="Instagram")).to_be_visible()
    check("first visit")
    choose(page, photo, NOT_AN_IMAGE, {"name": "empty.jpg", "mimeType": "image/jpeg", "buffer": b""})
    expect(page.get_by_role("list", name="Chosen photos")).to_be_visible()
    check("photos chosen")
    make(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("1 photo failed")
    check("made")
    page.get_by_role("link", name="Look at").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check("looked at")
    page.goto(f"{service.base_url}/batches/01a201d9-37a2-72d8-8acf-6974456e2e97")
    expect(page.get_by_role("heading", level=1)).to_have_text("This batch is not here.")
    check("not there")


def test_colours_are_kept(page: Page, service: Service) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(service.base_url)
    page.get_by_role("radio", name="Dark").check()
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(paper)
    page.reload()
    expect(page.get_by_role("radio", name="Dark")).to_be_checked()
    assert page.evaluate(paper) == dark
    page.get_by_role("radio", name="Colours of this device").check()
    assert page.evaluate(paper) != dark


def test_the_first_page_is_light(page: Page, service: Service) -> None:
    """Less than 150 kB of script over the wire, and not one request to anybody else."""
    sizes: dict[str, int] = {}
    page.on("requestfinished", lambda request: sizes.update({request.url: request.sizes()["responseBodySize"]}))
    page.goto(service.base_url, wait_until="networkidle")
    assert all(url.startswith(service.base_url) for url in sizes)
    scripts = {url: size for url, size in sizes.items() if url.endswith(".js")}
    assert scripts
    assert sum(scripts.values()) < 150 * 1024, scripts
