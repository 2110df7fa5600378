"""Tickets: leave to send one file, of this size and type, once, until a time."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import httpx
import pytest

from pixelmill.pipeline.sweep import Sweeper
from pixelmill.records.tables import now
from tests.sites import JPEG, Site
from tests.tenants import tenant

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


async def ticket(site: Site, **body: Any) -> dict[str, Any]:
    answer = await site.client.post("/uploads", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def put(sending: dict[str, Any], data: bytes, **headers: str) -> httpx.Response:
    """As somebody does it who knows nothing but the ticket."""
    async with httpx.AsyncClient(timeout=30) as stranger:
        return await stranger.request(
            sending["method"], sending["url"], content=data, headers=sending["headers"] | headers
        )


async def take(site: Site, *ids: str) -> httpx.Response:
    return await site.client.post("/batches", json={"sources": [{"uploadId": one} for one in ids]})


async def test_a_file_is_sent_without_a_key_and_taken(site: Site) -> None:
    async with tenant(site, "acme") as acme:
        wanted = {"files": [{"name": "photo.jpg", "type": "image/jpeg", "bytes": len(JPEG)}]}
        made = (await acme.client.post("/uploads", json=wanted)).json()
        [sending] = made["files"]
        assert sending["headers"] == {"Content-Type": "image/jpeg"}
        answer = await put(sending, JPEG)
        assert answer.status_code == 201, answer.text
        assert answer.json()["state"] == "finished"
        body = {"sources": [{"uploadId": sending["uploadId"]}]}
        batch = (await acme.client.post("/batches", json=body)).json()
        [file] = (await acme.client.get(batch["statusUrl"])).json()["files"]
        assert (file["originalName"], file["bytes"], file["format"]) == ("photo.jpg", len(JPEG), "jpeg")
        held = await site.claim(file["jobId"])
        assert held.key and held.sha256
        with await site.parts.storage.open(held.key, sha256=held.sha256) as stored:
            assert stored.read() == JPEG
        again = await acme.client.post("/batches", json=body)
        assert (again.status_code, again.json().get("code")) == (409, "conflict")


async def test_an_address_is_good_for_one_file(site: Site) -> None:
    [sending] = (await ticket(site, files=[{"name": "a.jpg"}]))["files"]
    assert (await put(sending, JPEG)).status_code == 201
    before = site.stored()
    replayed = await put(sending, JPEG + b"x")
    assert (replayed.status_code, replayed.json().get("code")) == (409, "conflict")
    assert site.stored() == before


async def test_what_does_not_fit_the_ticket_leaves_nothing_and_may_be_sent_again(site: Site) -> None:
    wanted = {"name": "a.jpg", "type": "image/jpeg", "bytes": len(JPEG)}
    [sending] = (await ticket(site, files=[wanted]))["files"]
    as_png = "\x89PNG\r\n\x1a\n".encode("latin-1") + bytes(len(JPEG) - 8)
    for data, headers, status, code in (
        (JPEG[:-1], {}, 400, "wrong-size"),
        (JPEG + b"x", {}, 413, "too-large"),
        (b"", {}, 400, "wrong-size"),
        (JPEG, {"Content-Type": "image/png"}, 415, "unsupported-media-type"),
        (as_png, {}, 415, "unsupported-format"),
        (bytes(len(JPEG)), {}, 415, "unsupported-format"),
    ):
        answer = await put(sending, data, **headers)
        assert (answer.status_code, answer.json().get("code")) == (status, code)
    assert site.stored() == []
    assert (await take(site, sending["uploadId"])).json()["code"] == "not-ready"
    assert (await put(sending, JPEG)).status_code == 201


async def test_a_body_of_unknown_length_is_cut_at_the_ticket_s_size(site: Site) -> None:
    [sending] = (await ticket(site, count=1, maxBytes=1000))["files"]

    async def endless() -> Any:
        for _ in range(100):
            yield JPEG

    async with httpx.AsyncClient() as stranger:
        answer = await stranger.put(sending["url"], content=endless())
    assert (answer.status_code, answer.json().get("code")) == (413, "too-large")
    assert site.stored() == []


async def test_an_address_that_was_changed_is_worth_nothing(site: Site) -> None:
    one, other = (await ticket(site, count=2))["files"]
    async with tenant(site, "acme"):
        for url in (
            one["url"].replace(one["uploadId"], other["uploadId"]),
            one["url"][:-3] + "abc",
            one["url"].replace("expires=", "expires=9"),
            one["url"] + "&expires=99999999999",
        ):
            answer = await put(one | {"url": url}, JPEG)
            assert (answer.status_code, answer.json().get("code")) == (403, "bad-signature"), url
        plain = await put(one | {"url": one["url"].partition("?")[0]}, JPEG)
        assert plain.status_code == 401
    assert site.stored() == []


async def test_an_address_ends(site: Site) -> None:
    [sending] = (await ticket(site, count=1, expiresIn=1))["files"]
    expires = int(sending["url"].partition("expires=")[2].partition("&")[0])
    while datetime.datetime.now(datetime.UTC).timestamp() < expires:
        await asyncio.sleep(0.05)
    answer = await put(sending, JPEG)
    assert (answer.status_code, answer.json().get("code")) == (403, "bad-signature")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "bad-request"),
        ({"count": 1, "files": [{"name": "a"}]}, "bad-request"),
        ({"count": 0}, "bad-request"),
        ({"count": 101}, "too-many-files"),
        ({"count": 10**15}, "too-many-files"),  # a list of so many would be its end
        ({"count": 1, "maxBytes": 10**9}, "too-large"),
        ({"count": 1, "types": ["text/html"]}, "unsupported-format"),
        ({"files": [{"name": "a", "type": "image/png"}], "types": ["image/jpeg"]}, "unsupported-format"),
    ],
)
async def test_a_ticket_that_cannot_be(site: Site, body: dict[str, Any], code: str) -> None:
    answer = await site.client.post("/uploads", json=body)
    assert answer.json()["code"] == code


async def test_two_at_once_are_one_upload(site: Site) -> None:
    [sending] = (await ticket(site, count=1))["files"]
    first_is_in, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> Any:
        yield JPEG[:100]
        first_is_in.set()
        await go_on.wait()
        yield JPEG[100:]

    async with httpx.AsyncClient() as stranger:
        sending_slowly = asyncio.create_task(stranger.put(sending["url"], content=slow()))
        await first_is_in.wait()
        assert (await put(sending, JPEG)).status_code == 423
        go_on.set()
        assert (await sending_slowly).status_code == 201


async def test_what_nobody_takes_is_deleted_when_its_time_is_over(site: Site) -> None:
    sendings = (await ticket(site, count=3))["files"]
    for sending in sendings[:2]:
        assert (await put(sending, JPEG)).status_code == 201
    assert (await take(site, sendings[0]["uploadId"])).status_code == 202
    assert len(site.stored()) == 2
    parts = site.parts
    soon = Sweeper(parts.database, parts.storage, parts.settings)
    assert await soon.round() == 0
    at = now() + datetime.timedelta(seconds=parts.settings.upload_expire_seconds + 3700)
    late = Sweeper(parts.database, parts.storage, parts.settings, clock=lambda: at)
    await late.round()
    # What the batch took stays, everything else is gone to the last byte.
    [left] = site.stored()
    assert sendings[0]["uploadId"] in left
    assert (await site.client.get(f"/uploads/{sendings[1]['uploadId']}")).status_code == 404


async def test_an_upload_goes_with_its_batch(site: Site) -> None:
    [sending] = (await ticket(site, count=1))["files"]
    assert (await put(sending, JPEG)).status_code == 201
    batch = await site.batch((await take(site, sending["uploadId"])).json()["batchId"])
    assert (await site.client.delete(f"/uploads/{sending['uploadId']}")).status_code == 409
    await site.finish(batch)
    answer = await site.client.delete(f"/batches/{batch['batchId']}", params={"purge": "true"})
    assert answer.status_code == 204
    assert site.stored() == []


async def test_an_upload_can_be_given_up(site: Site) -> None:
    [sending] = (await ticket(site, count=1))["files"]
    assert (await put(sending, JPEG)).status_code == 201
    assert (await site.client.delete(f"/uploads/{sending['uploadId']}")).status_code == 204
    assert site.stored() == []
    assert (await take(site, sending["uploadId"])).status_code == 404
    assert (await put(sending, JPEG)).status_code == 404


async def test_a_batch_that_is_refused_takes_nothing(site: Site) -> None:
    one, other = (await ticket(site, count=2))["files"]
    assert (await put(one, JPEG)).status_code == 201
    assert (await take(site, one["uploadId"], other["uploadId"])).json()["code"] == "not-ready"
    assert (await take(site, one["uploadId"], one["uploadId"])).json()["code"] == "conflict"
    assert (await take(site, one["uploadId"])).status_code == 202
