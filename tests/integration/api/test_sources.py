"""``POST /batches``: images that lie elsewhere, fetched by a real worker from a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from pixelmill import app
from pixelmill.settings import Settings
from tests.integration.api.test_process import problem
from tests.origin import Origin, open_origin
from tests.sites import Site, open_site
from tests.tenants import tenant


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with open_origin() as origin:
        yield origin


@pytest.fixture
async def fetching(settings: Settings) -> AsyncIterator[Site]:
    """A worker runs, and may fetch from this machine."""
    changes = {"allow_hosts": ("127.0.0.1",), "retry_seconds": 0.05, "source_prefixes": ("incoming/",)}
    async with open_site(settings.model_copy(update=changes)) as site:
        stop = asyncio.Event()
        task = asyncio.create_task(app.worker(site.settings, stop))
        yield site
        stop.set()
        await task


async def send(site: Site, *sources: dict[str, Any], **more: Any) -> httpx.Response:
    return await site.client.post("/batches", json={"sources": list(sources), **more})


async def over(site: Site, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    async with asyncio.timeout(60):
        while True:
            batch = await site.batch(answer.json()["batchId"])
            if batch["finishedAt"]:
                return batch
            await asyncio.sleep(0.02)


async def test_an_image_at_a_url_is_fetched_and_made(fetching: Site, origin: Origin, photo: Path) -> None:
    origin.answers["/photos/field.jpg"] = [(200, photo.read_bytes())]
    answer = await send(fetching, {"url": f"{origin.url}/photos/field.jpg"}, metadata={"order": 7})
    assert answer.headers["location"] == answer.json()["statusUrl"]
    batch = await over(fetching, answer)
    assert batch["status"] == "completed"
    assert batch["metadata"] == {"order": 7}
    [file] = batch["files"]
    assert (file["originalName"], file["bytes"], file["format"]) == ("field.jpg", photo.stat().st_size, "jpeg")
    assert (await fetching.client.get(file["variants"][0]["url"])).content.startswith(b"\xff\xd8\xff")
    kept = [name for name in fetching.stored() if name.startswith(f"originals/{batch['batchId']}/{file['jobId']}")]
    assert len(kept) == 1
    assert (fetching.settings.data_dir / "files" / kept[0]).read_bytes() == photo.read_bytes()


async def test_what_can_never_be_fetched_is_a_dead_letter_at_once(fetching: Site, origin: Origin) -> None:
    origin.answers["/gone"] = [(410, b"")]
    origin.answers["/page"] = [(200, b"<html>no image</html>")]
    origin.answers["/large"] = [(200, bytes(fetching.settings.max_file_bytes + 1))]
    origin.answers["/empty"] = [(200, b"")]
    paths = ("missing", "gone", "page", "large", "empty")
    batch = await over(fetching, await send(fetching, *({"url": f"{origin.url}/{path}"} for path in paths)))
    assert batch["status"] == "completed-with-errors"
    codes = {file["originalName"]: file["errorCode"] for file in batch["files"]}
    assert codes == {
        "missing": "source-refused",
        "gone": "source-refused",
        "page": "unsupported-format",
        "large": "too-large",
        "empty": "empty-file",
    }
    assert sorted(origin.asked) == sorted(f"/{path}" for path in paths)
    assert not [name for name in fetching.stored() if name.startswith("originals/")]


async def test_a_server_that_stumbles_is_asked_again(fetching: Site, origin: Origin, photo: Path) -> None:
    origin.answers["/a.jpg"] = [(503, b""), (500, b""), (200, photo.read_bytes())]
    batch = await over(fetching, await send(fetching, {"url": f"{origin.url}/a.jpg", "name": "mine.jpg"}))
    assert batch["status"] == "completed"
    assert batch["files"][0]["originalName"] == "mine.jpg"
    assert len(origin.asked) == 3


async def test_a_fetched_image_that_failed_can_be_tried_again(fetching: Site, origin: Origin, photo: Path) -> None:
    answer = await send(fetching, {"url": f"{origin.url}/later.jpg"})
    batch = await over(fetching, answer)
    assert batch["files"][0]["errorCode"] == "source-refused"
    origin.answers["/later.jpg"] = [(200, photo.read_bytes())]
    retried = await fetching.client.post(f"/jobs/{batch['files'][0]['jobId']}/retry")
    assert retried.status_code < 300, retried.text
    assert (await over(fetching, answer))["status"] == "completed"


async def test_private_addresses_are_refused_before_anything_is_kept(site: Site) -> None:
    for url in ("http://169.254.169.254/latest", "http://localhost/a.jpg", "http://[::1]/", "x"):
        answer = await send(site, {"url": url})
        assert (answer.status_code, answer.json()["code"]) == (422, "address-refused"), url
    assert (await site.client.get("/batches")).json()["batches"] == []


async def test_only_what_http_and_https_reach_is_a_source(site: Site) -> None:
    for scheme in ("ftp", "file", "gopher", "dict", "ldap", "s3", "data", "jar:http"):
        problem(await send(site, {"url": f"{scheme}://images.example/a.jpg"}), 422, "address-refused")
    for url in ("file:///etc/passwd", "data:image/png;base64,AA", "//images.example/a.jpg"):
        assert (await send(site, {"url": url})).json()["code"] == "address-refused", url
    assert (await site.client.get("/batches")).json()["batches"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sources": []},
        {"sources": [{}]},
        {"sources": [{"url": "http://a.example/a", "uploadId": "b"}]},
        {"sources": [{"url": 7}]},
        {"sources": [{"url": "http://a.example/a"}], "colour": "red"},
        {"sources": [{"url": "http://a.example/a"}], "priority": -1},
    ],
)
async def test_a_body_that_is_wrong_is_refused(site: Site, body: dict[str, Any]) -> None:
    answer = await site.client.post("/batches", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")


async def test_more_sources_than_are_taken(site_with: Callable[..., AbstractAsyncContextManager[Site]]) -> None:
    async with site_with(max_sources=2, max_files=2) as site:
        answer = await send(site, *({"url": "http://a.example/a"},) * 3)
        assert (answer.status_code, answer.json()["code"]) == (413, "too-many-files")


async def test_a_bucket_is_read_only_where_the_operator_opened_it(fetching: Site, photo: Path) -> None:
    storage = fetching.parts.storage
    for name in ("incoming/a.jpg", "incoming/deep/b.jpg", "private/c.jpg"):
        await storage.put(name, photo.read_bytes())
    batch = await over(fetching, await send(fetching, {"prefix": "incoming/"}, {"key": "incoming/a.jpg"}))
    assert batch["status"] == "completed"
    assert sorted(file["originalName"] for file in batch["files"]) == ["a.jpg", "a.jpg", "b.jpg"]
    assert {"incoming/a.jpg", "incoming/deep/b.jpg"} <= set(fetching.stored())
    for wrong in ({"key": "private/c.jpg"}, {"key": "incoming/../private/c.jpg"}, {"prefix": "originals/"}):
        answer = await send(fetching, wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "address-refused")
    async with tenant(fetching, "acme") as acme:
        answer = await acme.client.post("/batches", json={"sources": [{"key": "incoming/a.jpg"}]})
        assert answer.json()["code"] == "address-refused"


@pytest.mark.parametrize("setting", ["incoming", "incoming/"])
async def test_what_is_opened_is_a_folder_and_none_whose_name_begins_so(
    site_with: Callable[..., AbstractAsyncContextManager[Site]], setting: str
) -> None:
    async with site_with(source_prefixes=(setting,)) as site:
        for name in ("incoming/a.jpg", "incoming-evil/a.jpg", "incoming.jpg"):
            await site.parts.storage.put(name, b"any")
        for wrong in (
            {"key": "incoming-evil/a.jpg"},
            {"key": "incoming.jpg"},
            {"key": "incoming"},
            {"prefix": "incoming-"},
            {"prefix": "incoming-evil/"},
            {"prefix": "in"},
        ):
            problem(await send(site, wrong), 422, "address-refused")
        for right in ({"key": "incoming/a.jpg"}, {"prefix": "incoming/"}, {"prefix": "incoming"}):
            answer = await send(site, right)
            assert answer.status_code == 202, answer.text
            assert answer.json()["totalFiles"] == 1


async def test_what_the_service_keeps_itself_is_never_a_source(
    site_with: Callable[..., AbstractAsyncContextManager[Site]],
) -> None:
    """Whatever the operator opened: the batches of all tenants are there."""
    async with site_with(source_prefixes=("originals", "processed/", "uploads/", "")) as site:
        await site.accepted()
        [original] = site.stored()
        for wrong in ({"key": original}, {"prefix": "originals/"}, {"prefix": "originals"}, {"prefix": "processed/"}):
            problem(await send(site, wrong), 422, "address-refused")
        assert (await send(site, {"prefix": "o"})).json()["code"] == "no-files"


async def test_the_same_request_twice_is_one_batch(site: Site) -> None:
    body = {"sources": [{"url": "https://images.example/a.jpg"}]}
    headers = {"Idempotency-Key": "one"}
    first = await site.client.post("/batches", json=body, headers=headers)
    again = await site.client.post("/batches", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert len((await site.client.get("/batches")).json()["batches"]) == 1
    other = await site.client.post("/batches", json={**body, "priority": 2}, headers=headers)
    assert other.status_code == 422


async def test_purging_deletes_what_was_fetched(fetching: Site, origin: Origin, photo: Path) -> None:
    origin.answers["/a.jpg"] = [(200, photo.read_bytes())]
    batch = await over(fetching, await send(fetching, {"url": f"{origin.url}/a.jpg"}))
    answer = await fetching.client.delete(f"/batches/{batch['batchId']}", params={"purge": "true"})
    assert answer.status_code == 204
    assert fetching.stored() == []
