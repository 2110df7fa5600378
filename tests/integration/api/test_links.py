"""Signed links and shares: what they open, until when, and that nothing in them can be changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from pixelmill.api.links import LONGEST, Links
from pixelmill.errors import PixelmillError
from pixelmill.records.tables import shares
from pixelmill.secret import Secret
from tests.servers import Service
from tests.sites import JPEG, Site

DATA = JPEG[:700]
OLD, NEW = "o" * 32, "n" * 32


async def stranger(site: Site) -> httpx.AsyncClient:
    """Somebody without a key, now that there are keys."""
    made = await site.client.post("/keys", json={"name": "first", "scopes": ["admin"]})
    assert made.status_code == 201, made.text
    site.client.headers["authorization"] = f"Bearer {made.json()['secret']}"
    return httpx.AsyncClient(base_url=site.url, timeout=30)


async def test_a_signed_link_needs_no_key(site: Site) -> None:
    batch = await site.finish(await site.accepted(), DATA)
    plain = batch["files"][0]["variants"][0]["url"]
    async with await stranger(site) as someone:
        answer = await site.client.get(f"/batches/{batch['batchId']}", params={"signed": 3600})
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers
        told = answer.json()
        signed = told["files"][0]["variants"][0]["url"]
        assert (await someone.get(plain)).status_code == 401
        assert (await someone.get(told["links"]["self"])).status_code == 401
        got = await someone.get(signed)
        assert (got.status_code, got.content) == (200, DATA)
        assert (await someone.get(signed, headers={"if-none-match": got.headers["etag"]})).status_code == 304
        assert (await someone.get(signed, headers={"range": "bytes=0-9"})).content == DATA[:10]
        assert (await someone.head(signed)).status_code == 200
        assert (await someone.get(told["links"]["archive"])).headers["content-type"] == "application/zip"


async def test_a_link_that_was_changed_opens_nothing(site: Site) -> None:
    batch = await site.finish(await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG)), DATA)
    async with await stranger(site) as someone:
        told = (await site.client.get(f"/batches/{batch['batchId']}", params={"signed": 60})).json()
        first, second = (file["variants"][0]["url"] for file in told["files"])
        path, _, query = first.partition("?")
        expires, signature = (part.partition("=")[2] for part in query.split("&"))
        changed = [
            f"{second.partition('?')[0]}?{query}",
            f"{told['links']['archive'].partition('?')[0]}?{query}",
            f"{path}?expires={int(expires) + 1}&signature={signature}",
            f"{path}?expires=0{expires}&signature={signature}",
            f"{path}?expires=%2B{expires}&signature={signature}",
            f"{path}?expires={expires}&signature={signature[:-1]}",
            f"{path}?expires={expires}&signature={signature}A",
            f"{path}?expires={expires}&signature=",
            f"{path}?expires={expires}&signature=.",
            f"{path}?expires={expires}&signature=%FF",
            f"{path}?expires={expires}&expires=9999999999&signature={signature}",
            f"{path}?expires=9999999999&{query}",
            f"{path}?signature={signature}",
            f"{path}?{query}&signature={signature}",
            f"{path}/?{query}",
        ]
        for url in changed:
            answer = await someone.get(url)
            assert answer.status_code in (401, 403, 404), url
            assert answer.content != DATA
        assert (await someone.get(f"{path}?signature={signature}&expires={expires}&download=true")).content == DATA
        assert (await site.client.get(changed[2])).content == DATA  # who has a key needs no link
        for method in ("POST", "DELETE", "PUT"):
            assert (await someone.request(method, first)).status_code in (401, 403, 405)


@pytest.mark.parametrize("signed", ["0", str(LONGEST + 1), "-1", "x"])
async def test_how_long_a_link_may_be_good(site: Site, signed: str) -> None:
    batch = await site.accepted()
    answer = await site.client.get(f"/batches/{batch['batchId']}", params={"signed": signed})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")


def test_a_link_ends() -> None:
    at = 1000.0
    links = Links(Secret([OLD]), clock=lambda: at)
    expires, signature = parts_of(links.signer(60)("/a"))
    links.check("/a", expires, signature)
    at = 1059.9
    links.check("/a", expires, signature)
    at = 1060.0
    with pytest.raises(PixelmillError, match="good until 1970-01-01T00:17:40"):
        links.check("/a", expires, signature)


def test_a_new_secret_signs_and_the_old_one_is_believed_until_it_is_taken_away() -> None:
    before, during, after = Links(Secret([OLD])), Links(Secret([NEW, OLD])), Links(Secret([NEW]))
    old, new = (parts_of(links.signer(60)("/a")) for links in (before, during))
    during.check("/a", *old)
    during.check("/a", *new)
    after.check("/a", *new)
    for links, signed in ((after, old), (before, new)):
        with pytest.raises(PixelmillError, match="bad-signature"):
            links.check("/a", *signed)


def parts_of(url: str) -> tuple[str, str]:
    expires, signature = (part.partition("=")[2] for part in url.partition("?")[2].split("&"))
    return expires, signature


@given(st.text(), st.text(), st.text())
def test_nobody_guesses_a_signature(path: str, expires: str, signature: str) -> None:
    links = Links(Secret([OLD]))
    for guess in (signature, f"{next(iter(links._keys))}.{signature}"):
        with pytest.raises(PixelmillError, match="bad-signature"):
            links.check(path, expires, guess)


async def test_a_share_shows_the_batch_to_whoever_has_it(site: Site) -> None:
    batch = await site.finish(await site.accepted(), DATA)
    async with await stranger(site) as someone:
        made = await site.client.post(f"/batches/{batch['batchId']}/shares", json={"expiresIn": 3600})
        assert made.status_code == 201
        share = made.json()
        assert made.headers["location"] == share["url"]
        told = (await someone.get(share["url"])).json()
        assert told["batchId"] == batch["batchId"]
        assert (await someone.get(told["files"][0]["variants"][0]["url"])).content == DATA
        assert (await someone.get(told["links"]["archive"])).status_code == 200
        assert "batch.completed" in (await someone.get(told["links"]["events"])).text
        assert (await someone.get(f"/batches/{batch['batchId']}/events")).status_code == 401
        assert (await someone.get(f"/jobs/{batch['files'][0]['jobId']}/original")).status_code == 401

        listed = await site.client.get(f"/batches/{batch['batchId']}/shares")
        assert [one["shareId"] for one in listed.json()["shares"]] == [share["shareId"]]
        assert share["url"].rpartition("/")[2] not in listed.text
        gone = await site.client.delete(f"/batches/{batch['batchId']}/shares/{share['shareId']}")
        assert gone.status_code == 204
        assert (await someone.get(share["url"])).status_code == 404
        assert (await site.client.delete(f"/batches/{batch['batchId']}/shares/{share['shareId']}")).status_code == 404
        for token in ("x", "x" * 43, "%00", "..%2f"):
            assert (await someone.get(f"/shares/{token}")).status_code == 404


async def test_a_share_ends_and_its_links_with_it(site: Site) -> None:
    batch = await site.finish(await site.accepted(), DATA)
    async with await stranger(site) as someone:
        share = (await site.client.post(f"/batches/{batch['batchId']}/shares", json={"expiresIn": 60})).json()
        url = (await someone.get(share["url"])).json()["files"][0]["variants"][0]["url"]
        until = datetime.fromisoformat(share["expiresAt"])
        assert int(parts_of(url)[0]) <= until.timestamp()
        async with site.parts.database.write() as tx:
            await tx.execute(update(shares).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
        assert (await someone.get(share["url"])).status_code == 404
        assert (await site.client.get(f"/batches/{batch['batchId']}/shares")).json() == {"shares": []}


async def test_tokens_are_not_written_to_the_log(
    site_with: Callable[..., AbstractAsyncContextManager[Site]], capfd: pytest.CaptureFixture[str]
) -> None:
    async with site_with() as site:
        batch = await site.finish(await site.accepted(), DATA)
        share = (await site.client.post(f"/batches/{batch['batchId']}/shares", json={})).json()
        url = (await site.client.get(share["url"])).json()["files"][0]["variants"][0]["url"]
        await site.client.get(url)
    said = capfd.readouterr()
    assert share["url"].rpartition("/")[2] not in said.out + said.err
    assert parts_of(url)[1] not in said.out + said.err


async def test_who_reads_the_log_cannot_open_a_share(start_service: Callable[..., Service]) -> None:
    service = await asyncio.to_thread(start_service)
    async with httpx.AsyncClient(base_url=service.base_url, timeout=60) as client:
        sent = await client.post("/process-images", files=[("images", ("a.jpg", JPEG))])
        made = (await client.post(f"{sent.json()['statusUrl']}/shares", json={"expiresIn": 60})).json()
        token = made["url"].rpartition("/")[2]
        assert (await client.get(f"/shares/{token}")).status_code == 200
    while "/shares/" not in service.log.read_text():
        await asyncio.sleep(0.02)
    assert token not in service.log.read_text()
