"""Presigned requests, really sent to a real S3 server; and what is refused."""

from __future__ import annotations

import asyncio
import os
import uuid

import httpx
import pytest

from pixelmill.storage import Presigned, Storage, connect
from tests.integration.storage.conftest import s3_settings
from tests.servers import S3


@pytest.fixture
async def storage(s3: S3) -> Storage:
    return connect(s3_settings(s3, f"with space+plus/{uuid.uuid4().hex}"))


async def read(storage: Storage, key: str) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key)])


async def send(how: Presigned | None, body: bytes, **headers: str) -> httpx.Response:
    assert how
    async with httpx.AsyncClient() as client:
        if how.method == "PUT":
            sent = {**how.headers, **headers}
            sent.pop("Content-Length")  # the client's own, from the body
            return await client.put(how.url, content=body, headers=sent)
        return await client.post(how.url, data={**how.fields}, files={"file": ("x", body)})


async def test_a_result_is_fetched_with_the_name_and_type_that_were_signed(storage: Storage) -> None:
    data = os.urandom(100_000)
    await storage.put("processed/b/i/t-a.jpg", data)
    url = await storage.presign_get(
        "processed/b/i/t-a.jpg", seconds=60, filename="Größe & so.jpg", content_type="image/jpeg"
    )
    assert url
    async with httpx.AsyncClient() as client:
        answer = await client.get(url, headers={"Range": "bytes=10-19"})
        assert answer.status_code == 206
        assert answer.content == data[10:20]
        answer = await client.get(url)
    assert answer.content == data
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"Gr__e _ so.jpg\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%26%20so.jpg"
    )


async def test_a_picture_may_be_shown(storage: Storage) -> None:
    await storage.put("a/b", b"x")
    url = await storage.presign_get("a/b", seconds=60, filename="a.png", content_type="image/png", inline=True)
    assert url
    async with httpx.AsyncClient() as client:
        assert (await client.get(url)).headers["content-disposition"] == 'inline; filename="a.png"'


async def test_a_changed_url_is_refused(storage: Storage) -> None:
    await storage.put("a/b", b"x")
    await storage.put("a/c", b"secret")
    url = await storage.presign_get("a/b", seconds=60, content_type="image/jpeg")
    assert url
    changed = [
        url.replace("/a/b?", "/a/c?"),
        url.replace("image%2Fjpeg", "text%2Fhtml"),
        url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"),
        url.partition("?")[0],
    ]
    async with httpx.AsyncClient() as client:
        assert (await client.get(url)).status_code == 200
        assert [(await client.get(other)).status_code for other in changed] == [403] * 4
        assert (await client.put(url, content=b"mine")).status_code == 403
        assert (await client.delete(url)).status_code == 403
    assert await read(storage, "a/b") == b"x"


async def test_an_url_expires(storage: Storage) -> None:
    await storage.put("a/b", b"x")
    get = await storage.presign_get("a/b", seconds=1)
    put = await storage.presign_put("a/c", seconds=1, content_type="image/png", bytes=1)
    post = await storage.presign_post("a/c", seconds=1, content_type="image/png", bytes=1)
    assert get
    await asyncio.sleep(2.5)
    async with httpx.AsyncClient() as client:
        assert (await client.get(get)).status_code == 403
    assert (await send(put, b"1")).status_code == 403
    assert (await send(post, b"1")).status_code == 403
    assert await storage.stat("a/c") is None


@pytest.mark.parametrize("size", [1, 9_000_000])
async def test_bytes_are_sent_straight_to_the_store(storage: Storage, size: int) -> None:
    data = os.urandom(size)
    for kind in ("put", "post"):
        key = f"uploads/{kind}"
        how = await getattr(storage, f"presign_{kind}")(key, seconds=60, content_type="image/jpeg", bytes=size)
        answer = await send(how, data)
        assert answer.is_success, answer.text
        assert await read(storage, key) == data


async def test_leave_to_put_is_for_that_size_and_type_only(storage: Storage) -> None:
    how = await storage.presign_put("uploads/a", seconds=60, content_type="image/jpeg", bytes=5)
    assert how
    assert how.headers == {"Content-Type": "image/jpeg", "Content-Length": "5"}
    assert (await send(how, b"123456")).status_code == 403
    assert (await send(how, b"1234")).status_code == 403
    assert (await send(how, b"12345", **{"Content-Type": "text/html"})).status_code == 403
    elsewhere = Presigned("PUT", how.url.replace("/uploads/a?", "/uploads/b?"), how.headers)
    assert (await send(elsewhere, b"12345")).status_code == 403
    assert [stat async for stat in storage.list("uploads/")] == []
    assert (await send(how, b"12345")).status_code == 200


async def test_leave_to_post_is_for_that_size_type_and_key_only(storage: Storage) -> None:
    how = await storage.presign_post("uploads/a", seconds=60, content_type="image/jpeg", bytes=5)
    assert how

    def with_fields(**fields: str) -> Presigned:
        return Presigned("POST", how.url, fields={**how.fields, **fields})

    refused = [
        await send(how, b"123456"),
        await send(how, b""),
        await send(with_fields(**{"Content-Type": "text/html"}), b"12345"),
        await send(with_fields(key=how.fields["key"] + "b"), b"12345"),
        await send(with_fields(policy=how.fields["policy"][:-8] + "AAAAAAAA"), b"12345"),
        await send(with_fields(**{"x-amz-signature": "0" * 64}), b"12345"),
    ]
    assert [400 <= answer.status_code < 500 for answer in refused] == [True] * 6, [a.status_code for a in refused]
    assert [stat async for stat in storage.list("uploads/")] == []
    assert (await send(how, b"12345")).is_success
