"""Idempotency-Key: what is sent twice is done once."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from sqlalchemy import delete, func, select, update

from pixelmill.errors import PixelmillError
from pixelmill.records import idempotency, intents, processes, tables
from tests.integration.api.test_process import SiteWith, problem
from tests.servers import LOOPBACK
from tests.sites import JPEG, Site, multipart
from tests.tenants import tenant

KEY = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}
FORM = "multipart/form-data; boundary=frontier"


async def send(site: Site, body: bytes, key: str = "k", boundary: str = "frontier", **query: str) -> httpx.Response:
    headers = {"Idempotency-Key": key, "Content-Type": f"multipart/form-data; boundary={boundary}"}
    return await site.client.post("/process-images", content=body, headers=headers, params=query)


async def count(site: Site, table: str) -> int:
    async with site.parts.database.read() as connection:
        return await connection.scalar(select(func.count()).select_from(tables.metadata.tables[table])) or 0


async def test_the_first_answer_again_whatever_the_form_looks_like(site: Site) -> None:
    first = await send(site, multipart([("a.jpg", JPEG)]), metadata='{"a": 1}')
    assert first.status_code == 202
    before = site.stored()
    # Another boundary is another body, and the same request.
    again = await send(site, multipart([("a.jpg", JPEG)], "border"), boundary="border", metadata='{"a": 1}')
    assert again.status_code == 202
    assert again.content == first.content
    for name in ("location", "retry-after", "content-type", "cache-control"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert site.stored() == before
    assert (await count(site, "batches"), await count(site, "intents")) == (1, 0)


@pytest.mark.parametrize(
    ("files", "query"),
    [
        ([("a.jpg", JPEG + b"x")], {}),
        ([("b.jpg", JPEG)], {}),
        ([("a.jpg", JPEG), ("a.jpg", JPEG)], {}),
        ([("a.jpg", JPEG)], {"preset": "web"}),
        ([("a.jpg", b"no image")], {}),
    ],
)
async def test_another_request_with_the_same_key(
    site: Site, files: list[tuple[str, bytes]], query: dict[str, str]
) -> None:
    assert (await send(site, multipart([("a.jpg", JPEG)]))).status_code == 202
    before = site.stored()
    problem(await send(site, multipart(files), **query), 422, "idempotency-mismatch")
    assert site.stored() == before
    assert (await count(site, "batches"), await count(site, "intents")) == (1, 0)


async def test_what_was_refused_may_be_sent_again(site: Site) -> None:
    assert (await send(site, multipart([("a.jpg", b"no image")]))).status_code == 415
    assert await count(site, "idempotency") == 0
    assert (await send(site, multipart([("a.jpg", JPEG)]))).status_code == 202


@pytest.mark.parametrize("key", ["", '""', '"a', 'a"b', "a b", '"\\a"', "x" * 256, "ü".encode("latin-1")])
async def test_a_malformed_key(site: Site, key: str | bytes) -> None:
    headers = [("Idempotency-Key", key), ("Content-Type", FORM)]
    answer = await site.client.post("/process-images", content=multipart([("a.jpg", JPEG)]), headers=headers)  # type: ignore[arg-type]
    problem(answer, 400, "bad-request")
    assert site.stored() == []


async def test_two_keys_are_none(site: Site) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b"), ("Content-Type", FORM)]
    answer = await site.client.post("/process-images", content=multipart([("a.jpg", JPEG)]), headers=headers)
    problem(answer, 400, "bad-request")


async def test_while_the_first_body_still_arrives(site: Site) -> None:
    body = multipart([("a.jpg", JPEG)])
    reader, writer = await asyncio.open_connection(LOOPBACK, site.port)
    head = f"POST /process-images HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nIdempotency-Key: k\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:300])
    while await count(site, "idempotency") == 0:
        await asyncio.sleep(0.01)
    answer = await send(site, body)
    assert problem(answer, 409, "idempotency-running")
    assert answer.headers["retry-after"] == "1"
    assert await count(site, "intents") <= 1
    writer.write(body[300:])
    assert b" 202 " in await reader.readline()
    writer.close()
    again = await send(site, body)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
    assert await count(site, "batches") == 1


async def test_many_at_once_are_one(site: Site) -> None:
    body = multipart([("a.jpg", JPEG)])
    answers = await asyncio.gather(*(send(site, body) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.content for answer in answers if answer.status_code == 202}) == 1
    assert await count(site, "batches") == 1
    assert len(site.stored()) == 1


async def test_a_connection_that_is_cut_frees_the_key(site: Site) -> None:
    body = multipart([("a.jpg", JPEG)])
    _, writer = await asyncio.open_connection(LOOPBACK, site.port)
    head = f"POST /process-images HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nIdempotency-Key: k\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:300])
    while await count(site, "idempotency") == 0:
        await asyncio.sleep(0.01)
    writer.close()
    while await count(site, "idempotency"):
        await asyncio.sleep(0.01)
    assert (await send(site, body)).status_code == 202


async def test_what_a_dead_process_reserved_is_free(site: Site) -> None:
    db = site.parts.database
    body = multipart([("a.jpg", JPEG)])
    assert (await send(site, body)).status_code == 202
    # As if the process had died before it accepted.
    async with db.write() as tx:
        table = tables.idempotency
        await tx.execute(
            update(table).values(process_id="gone", status=None, fingerprint=None, headers=None, body=None)
        )
        await tx.execute(delete(tables.batches))
    assert (await send(site, body)).status_code == 202
    # And as if it were alive.
    await processes.register(db, "other", kind="api", slot=None, host="h", pid=1, version="0")
    async with db.write() as tx:
        await tx.execute(update(tables.idempotency).values(process_id="other", status=None))
    problem(await send(site, body), 409, "idempotency-running")
    await processes.forget(db, "other")
    assert (await send(site, body)).status_code == 202


async def test_a_key_that_could_not_be_released_is_free(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> None:
        raise PixelmillError("unavailable", "The database did not answer; try again in a moment.")

    # The database goes away in the middle of a request, which ends without being able to say so.
    with monkeypatch.context() as broken:
        broken.setattr(intents, "accept", away)
        broken.setattr(idempotency, "release", away)
        problem(await send(site, multipart([("a.jpg", JPEG)])), 503, "unavailable")
    assert await count(site, "idempotency") == 1
    assert (await send(site, multipart([("a.jpg", JPEG)]))).status_code == 202
    assert await count(site, "batches") == 1
    while site.app.state.keeper.running:  # the last of a request is done once its answer is sent
        await asyncio.sleep(0.01)


async def test_an_answer_is_kept_for_as_long_as_set(site_with: SiteWith) -> None:
    async with site_with(idempotency_seconds=1.0) as site:
        body = multipart([("a.jpg", JPEG)])
        first = await send(site, body)
        while (again := await send(site, body)).content == first.content:
            await asyncio.sleep(0.1)
        assert again.status_code == 202
        assert await count(site, "batches") == 2


async def test_json_is_compared_as_json(site: Site) -> None:
    async with tenant(site, "acme") as one:
        headers = KEY | {"Content-Type": "application/json"}
        texts = ('{"name": "x", "scopes": ["read"]}', '{ "scopes":["read"],"name":"\\u0078" }')
        first, again = [await one.client.post("/keys", content=text, headers=headers) for text in texts]
        assert first.status_code == again.status_code == 201
        # The secret too, which is kept sealed only.
        assert again.content == first.content
        secret = first.json()["secret"].rpartition("_")[2].encode()
        files = [site.settings.data_dir / name for name in ("pixelmill.db", "pixelmill.db-wal")]
        assert secret not in b"".join(file.read_bytes() for file in files)
        other = await one.client.post("/keys", json={"name": "y", "scopes": ["read"]}, headers=KEY)
        problem(other, 422, "idempotency-mismatch")
        # The same words at another address are another request.
        problem(await one.client.post("/webhooks", content=texts[0], headers=headers), 422, "idempotency-mismatch")
        assert len((await one.client.get("/keys")).json()["keys"]) == 2


async def test_a_key_is_of_one_api_key(site: Site) -> None:
    async with tenant(site, "acme") as one, tenant(site, "acme", ["read"]) as reads, tenant(site, "bolt") as other:
        wanted = json.dumps({"name": "x", "scopes": ["read"]})
        headers = KEY | {"Content-Type": "application/json"}
        first = await one.client.post("/keys", content=wanted, headers=headers)
        assert (await other.client.post("/keys", content=wanted, headers=headers)).json() != first.json()
        # What it may not do it is not told, either.
        problem(await reads.client.post("/keys", content=wanted, headers=headers), 403, "missing-scope")
