"""Tickets and tus where bytes lie in S3: files go there directly, and what came is looked at before it is used."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from pixelmill import app
from pixelmill.settings import Settings
from tests.servers import S3
from tests.sites import JPEG, Site, open_site


@pytest.fixture
async def bucket(settings: Settings, s3: S3) -> AsyncIterator[Site]:
    env = s3.env()
    changes = {
        "storage_url": f"s3://{s3.bucket}/{uuid.uuid4().hex}",
        "aws_endpoint_url": env["AWS_ENDPOINT_URL"],
        "aws_access_key_id": env["AWS_ACCESS_KEY_ID"],
        "aws_region": env.get("AWS_REGION", "us-east-1"),
    }
    both = Settings(
        **{**settings.model_dump(exclude_none=True), **changes, "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"]}
    )
    async with open_site(both) as site:
        yield site


async def ticket(site: Site, **body: Any) -> dict[str, Any]:
    answer = await site.client.post("/uploads", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["files"][0]
    return found


async def send(sending: dict[str, Any], data: bytes) -> httpx.Response:
    async with httpx.AsyncClient(timeout=30) as stranger:
        if sending["method"] == "POST":
            return await stranger.post(sending["url"], data=sending["fields"], files={"file": ("x", data)})
        headers = {name: value for name, value in sending["headers"].items() if name != "Content-Length"}
        return await stranger.put(sending["url"], content=data, headers=headers)


async def take(site: Site, sending: dict[str, Any]) -> httpx.Response:
    return await site.client.post("/batches", json={"sources": [{"uploadId": sending["uploadId"]}]})


async def listed(site: Site, prefix: str) -> list[str]:
    return [stat.key async for stat in site.parts.storage.list(prefix)]


async def test_a_file_goes_to_s3_itself(bucket: Site, photo: Any) -> None:
    data = photo.read_bytes()
    sending = await ticket(bucket, files=[{"name": "a.jpg", "type": "image/jpeg", "bytes": len(data)}])
    assert sending["method"] == "PUT"
    assert not sending["url"].startswith(bucket.url)
    assert (await take(bucket, sending)).json()["code"] == "not-ready"
    assert (await send(sending, data)).status_code == 200
    taken = await take(bucket, sending)
    assert taken.status_code == 202, taken.text
    assert (await take(bucket, sending)).json()["code"] == "conflict"
    stop = asyncio.Event()
    worker = asyncio.create_task(app.worker(bucket.settings, stop))
    async with asyncio.timeout(60):
        while (batch := await bucket.batch(taken.json()["batchId"]))["status"] != "completed":
            assert batch["status"] in ("waiting", "processing"), batch
            await asyncio.sleep(0.05)
    stop.set()
    await worker
    # A worker copied it: whoever still has the address changes nothing of ours.
    assert await listed(bucket, "uploads/") == []
    [original] = await listed(bucket, f"originals/{batch['batchId']}/")
    assert b"".join([chunk async for chunk in bucket.parts.storage.read(original)]) == data
    answer = await bucket.client.delete(f"/batches/{batch['batchId']}", params={"purge": "true"})
    assert answer.status_code == 204
    assert await listed(bucket, "originals/") == []


async def test_what_s3_was_given_is_looked_at(bucket: Site) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(100)
    for data, wanted, code in (
        (png, {"name": "a.jpg", "type": "image/jpeg"}, "unsupported-format"),
        (bytes(100), {"name": "a.jpg"}, "unsupported-format"),
    ):
        sending = await ticket(bucket, files=[wanted])
        assert sending["method"] == "POST"
        sent = await send(sending, data)
        if sent.status_code in (400, 405, 501):
            pytest.skip("this S3 server takes no forms")
        assert sent.status_code in (200, 201, 204), sent.text
        assert (await take(bucket, sending)).json()["code"] == code


async def test_another_size_is_refused(bucket: Site) -> None:
    sending = await ticket(bucket, files=[{"name": "a.jpg", "type": "image/jpeg", "bytes": len(JPEG) + 5}])
    sent = await send(sending, JPEG)
    if sent.status_code == 200:  # not every server that speaks S3 binds the length
        assert (await take(bucket, sending)).json()["code"] == "wrong-size"
    else:
        assert sent.status_code in (400, 403)


async def test_tus_is_the_same_on_s3(bucket: Site) -> None:
    headers = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
    made = await bucket.client.post("/uploads/tus", headers=headers | {"Upload-Length": str(len(JPEG))})
    where = made.headers["location"]
    for start, end in ((0, 900), (900, len(JPEG))):
        sent = {**headers, "Upload-Offset": str(start)}
        assert (await bucket.client.patch(where, content=JPEG[start:end], headers=sent)).status_code == 204
    taken = await take(bucket, {"uploadId": where.rpartition("/")[2]})
    assert taken.status_code == 202
    [key] = await listed(bucket, "uploads/")
    assert b"".join([chunk async for chunk in bucket.parts.storage.read(key)]) == JPEG
