"""An API in this process, for tests that look at both sides of it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI
from granian.constants import Interfaces
from granian.server.embed import Server

from pixelmill import app as composition
from pixelmill.api import Parts, end_streams
from pixelmill.records import images, work
from pixelmill.records.claims import Claim, MadeVariant, Report, Seen
from pixelmill.settings import Settings
from pixelmill.storage import keys
from tests.servers import LOOPBACK, free_port

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) * 8


@dataclass
class Site:
    url: str
    port: int
    client: httpx.AsyncClient
    app: FastAPI
    settings: Settings

    @property
    def parts(self) -> Parts:
        parts: Parts = self.app.state.parts
        return parts

    async def send(
        self, *files: tuple[str, bytes], fields: dict[str, str] | None = None, **query: str
    ) -> httpx.Response:
        return await self.client.post(
            "/process-images", files=[("images", file) for file in files], data=fields or {}, params=query
        )

    async def accepted(self, *files: tuple[str, bytes], **fields: str) -> dict[str, Any]:
        """The batch of an upload that is taken."""
        answer = await self.send(*(files or [("photo.jpg", JPEG)]), fields=fields)
        assert answer.status_code == 202, answer.text
        return await self.batch(answer.json()["batchId"])

    async def batch(self, batch_id: str) -> dict[str, Any]:
        answer = await self.client.get(f"/batches/{batch_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def claim(self, job_id: str) -> Claim:
        """Take an image as a worker does."""
        image = await images.find(self.parts.database, job_id)
        assert image
        held = await work.claim(
            self.parts.database,
            job_id,
            image.generation,
            token=f"{job_id[-8:]}-{image.generation}",
            process_id="test",
            worker="test:1",
        )
        assert isinstance(held, Claim), held
        return held

    async def make(self, held: Claim, data: bytes, names: Sequence[str] | None = None, *, end: bool = True) -> None:
        """Give variants of a claimed image (by default all) these bytes, and end the image unless told otherwise."""
        made = []
        for name in held.missing if names is None else names:
            key = keys.result(held.batch_id, held.image_id, held.token, name, "jpg")
            await self.parts.storage.put(key, data)
            made.append(MadeVariant(name, key, "jpeg", "image/jpeg", 4, 3, len(data), 80, 0.1, {}))
        report = Report(seen=Seen("jpeg", 40, 30, {}), made=made, timings={"decode": 0.25})
        if end:
            await work.complete(self.parts.database, held, report)
        else:
            await work.record(self.parts.database, held, report)
        self.parts.queue.ring([held.batch_id])

    async def finish(self, batch: dict[str, Any], data: bytes = JPEG[:500]) -> dict[str, Any]:
        """Complete every image that waits."""
        for file in batch["files"]:
            if file["state"] == "waiting":
                await self.make(await self.claim(file["jobId"]), data)
        return await self.batch(batch["batchId"])

    def stored(self) -> list[str]:
        """Every file in the storage folder, half-written ones too."""
        root = self.settings.data_dir / "files"
        return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@asynccontextmanager
async def open_site(settings: Settings) -> AsyncIterator[Site]:
    await composition.migrate(settings)
    app = composition.api(settings)
    port = free_port()
    server = Server(app, address=LOOPBACK, port=port, interface=Interfaces.ASGI, backpressure=10_000, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    url = f"http://{LOOPBACK}:{port}"
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        for _ in range(1000):
            with contextlib.suppress(httpx.TransportError):
                if (await client.get("/livez")).status_code == 200:
                    break
            assert not serving.done(), serving
            await asyncio.sleep(0.01)
        yield Site(url, port, client, app, settings)
    end_streams(app)
    server.stop()
    await serving


def multipart(files: Iterable[tuple[str, bytes]], boundary: str = "frontier") -> bytes:
    parts = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="images"; filename="{name}"\r\n\r\n'.encode() + data
        for name, data in files
    )
    return b"\r\n".join(parts) + f"\r\n--{boundary}--\r\n".encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
