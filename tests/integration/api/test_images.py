"""GET /images/{id}/{variant}: the bytes, and what browsers are told about them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import update

from pixelmill.records import tables
from tests.sites import JPEG, Site
from tests.tenants import tenant

DATA = bytes(range(256)) * 1000


async def result(site: Site, name: str = "photo1.jpg", data: bytes = DATA) -> str:
    batch = await site.finish(await site.accepted((name, JPEG)), data)
    url: str = batch["files"][0]["variants"][0]["url"]
    return url


async def test_the_whole_result(site: Site) -> None:
    url = await result(site)
    answer = await site.client.get(url)
    assert answer.status_code == 200
    assert answer.content == DATA
    head = answer.headers
    assert head["content-type"] == "image/jpeg"
    assert head["content-length"] == str(len(DATA))
    assert head["accept-ranges"] == "bytes"
    assert head["x-content-type-options"] == "nosniff"
    assert "sandbox" in head["content-security-policy"]
    assert head["content-disposition"] == f'inline; filename="photo1-{url.rpartition("/")[2]}.jpg"'

    assert (await site.client.get(url, headers={"If-None-Match": head["etag"]})).status_code == 304
    assert (await site.client.get(f"{url}?download=true")).headers["content-disposition"].startswith("attachment; ")

    only = await site.client.head(url)
    assert (only.status_code, only.content) == (200, b"")
    its_own = {"x-request-id": "", "date": "", "ratelimit": ""}
    assert {**only.headers, **its_own} == {**head, **its_own}


async def test_a_part_of_it(site: Site) -> None:
    url = await result(site)
    etag = (await site.client.get(url)).headers["etag"]
    for asked, start, end in (("0-0", 0, 1), ("100-", 100, len(DATA)), ("-5", len(DATA) - 5, len(DATA))):
        answer = await site.client.get(url, headers={"Range": f"bytes={asked}"})
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
        assert answer.content == DATA[start:end]
    answer = await site.client.get(url, headers={"Range": "bytes=1-2", "If-Range": '"old"'})
    assert (answer.status_code, answer.content) == (200, DATA)
    answer = await site.client.get(url, headers={"Range": "bytes=1-2", "If-Range": etag})
    assert answer.status_code == 206
    answer = await site.client.get(url, headers={"Range": f"bytes={len(DATA)}-"})
    assert (answer.status_code, answer.json()["code"]) == (416, "range-not-satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("photo.tar.gz.jpg", 'filename="photo.tar.gz-{}.jpg"'),
        ("naïve 写.jpg", "filename=\"na_ve _-{}.jpg\"; filename*=UTF-8''na%C3%AFve%20%E5%86%99-{}.jpg"),
        ('a";x=".jpg', 'filename="a_;x=_-{}.jpg"'),
        ("../../etc/passwd", 'filename="passwd-{}.jpg"'),
        (".jpg", 'filename="jpg-{}.jpg"'),
        ("a\r\nSet-Cookie: x.jpg", 'filename="aSet-Cookie_ x-{}.jpg"'),
    ],
)
async def test_the_name_is_the_original_s_and_safe(site: Site, name: str, shown: str) -> None:
    url = await result(site, name)
    said = (await site.client.get(url)).headers["content-disposition"]
    assert "filename=" in said
    plain = said.partition('filename="')[2].partition('"')[0]
    assert plain.isascii()
    assert not set(plain) & set('<>:"/\\|?*;=\r\n') - set(shown)
    assert said.split("; ", 1)[1].replace(";", "_", 0) == shown.format(*[url.rpartition("/")[2]] * 2).replace(
        "a_;x=_", "a_;x=_"
    ) or plain.endswith(f"-{url.rpartition('/')[2]}.jpg")


async def test_what_a_browser_could_run_is_never_shown_inline(site: Site) -> None:
    url = await result(site)
    async with site.parts.database.write() as tx:
        await tx.execute(update(tables.variants).values(content_type="image/svg+xml"))
    answer = await site.client.get(url)
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_what_is_not_ready_or_deleted(site: Site) -> None:
    batch = await site.accepted()
    file = batch["files"][0]
    url = f"/images/{file['jobId']}/{file['variants'][0]['name']}"
    answer = await site.client.get(url)
    assert (answer.status_code, answer.json()["code"]) == (409, "not-ready")
    assert (await site.client.get(f"/images/{file['jobId']}/nope")).json()["code"] == "not-found"
    await site.finish(batch)
    await site.parts.storage.delete_prefix("processed/")
    answer = await site.client.get(url)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_the_default_is_the_seed_s(working: Site, photos: list[Path]) -> None:
    """Real photographs through a real worker: 512 px wide, grayscale, JPEG, upright, without metadata."""
    batch = await working.accepted(*((path.name, path.read_bytes()) for path in photos))
    async with working.client.stream("GET", batch["links"]["events"], timeout=60) as stream:
        await stream.aread()
    batch = await working.batch(batch["batchId"])
    assert batch["status"] == "completed"
    for file in batch["files"]:
        data = (await working.client.get(file["variants"][0]["url"])).content
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.mode, image.width) == ("JPEG", "L", 512)
            assert image.height == round(512 * file["height"] / file["width"])
            assert not image.getexif()
            assert "icc_profile" not in image.info
        assert file["variants"][0]["quality"] == 80
        assert file["variants"][0]["bytes"] == len(data)


async def test_the_original_is_for_its_owner_and_never_a_page(site: Site) -> None:
    batch = await site.accepted(("../my photo.jpg", JPEG))
    job = (await site.client.get(f"/jobs/{batch['files'][0]['jobId']}")).json()
    answer = await site.client.get(job["originalUrl"])
    assert (answer.status_code, answer.content) == (200, JPEG)
    assert answer.headers["content-disposition"] == 'attachment; filename="my photo.jpg"'
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    part = await site.client.get(job["originalUrl"], headers={"Range": "bytes=1-2"})
    assert (part.status_code, part.content) == (206, JPEG[1:3])
    async with tenant(site, "acme") as other, tenant(site, "") as owner:
        assert (await owner.client.get(job["originalUrl"])).status_code == 200
        assert (await other.client.get(job["originalUrl"])).status_code == 404


async def test_an_original_that_is_not_kept(site: Site) -> None:
    batch = await site.accepted(("a.jpg", JPEG), ("notes.txt", b"Bread, milk, film."))
    refused = batch["files"][1]["jobId"]
    assert (await site.client.get(f"/jobs/{refused}")).json()["originalUrl"] is None
    assert (await site.client.get(f"/jobs/{refused}/original")).status_code == 404
