"""Storage, records and queue that fail once, where they are told to: after Temporal's idea of a faulty persistence.

A call site is an operation and the function of ours that calls it (``write in work.claim``). It fails ``before``
anything was done, ``after`` all was done and only the answer was lost, or with a ``timeout``: the change was under
way, and nobody knows whether it was made (it was not).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

from sqlalchemy.ext.asyncio import AsyncConnection

import pixelmill
from pixelmill.errors import PixelmillError
from pixelmill.queue import Job, Queue
from pixelmill.records import Database
from pixelmill.storage import LocalStorage
from pixelmill.storage.base import Digest, Stat, Writer

KINDS = ("before", "after", "timeout")
_OURS = str(Path(pixelmill.__file__).parent)


class Faults:
    """Sees every call; fails the first at ``site``. ``seen`` are the sites in the order they were come to."""

    def __init__(self, site: str = "", kind: str = "") -> None:
        self.seen: dict[str, None] = {}
        self.struck = False
        self._site, self._kind = site, kind

    def at(self, operation: str) -> str:
        """How this call is to fail; empty when it is not."""
        frame: FrameType | None = sys._getframe(1)
        while frame and not frame.f_code.co_filename.startswith(_OURS):
            frame = frame.f_back
        # A coroutine that was made a task of its own has no caller.
        where = f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}" if frame else "a task"
        site = f"{operation} in {where}"
        self.seen[site] = None
        if site != self._site or self.struck:
            return ""
        self.struck = True
        return self._kind


class FaultyDatabase(Database):
    def __init__(self, url: str, faults: Faults) -> None:
        super().__init__(url)
        self._faults = faults

    @asynccontextmanager
    async def write(self, **options: Any) -> AsyncIterator[AsyncConnection]:
        how = self._faults.at("write")
        if how == "before":
            raise _away("records")
        async with super().write(**options) as connection:
            yield connection
            if how == "timeout":
                raise _away("records")
        if how:
            raise _away("records")

    @asynccontextmanager
    async def read(self, **options: Any) -> AsyncIterator[AsyncConnection]:
        how = self._faults.at("read")
        if how == "before":
            raise _away("records")
        async with super().read(**options) as connection:
            yield connection
        if how:
            raise _away("records")


def _away(what: str) -> PixelmillError:
    return PixelmillError("unavailable", f"A fault of the {what}, made by a test.")


class FaultyStorage(LocalStorage):
    def __init__(self, root: Path, faults: Faults) -> None:
        super().__init__(root)
        self._faults = faults

    @asynccontextmanager
    async def _faulty(self, operation: str) -> AsyncIterator[None]:
        how = self._faults.at(operation)
        if how == "before":
            raise OSError("A fault of the storage, made by a test.")
        if how == "timeout":
            await asyncio.sleep(0.05)
            raise TimeoutError("A slow storage, made by a test.")
        yield
        if how:
            raise OSError("A fault of the storage, made by a test.")

    async def create(self, key: str) -> Writer:
        async with self._faulty("create"):
            return FaultyWriter(await super().create(key), self)

    async def put(self, key: str, data: bytes | memoryview) -> None:
        async with self._faulty("put"):
            await super().put(key, data)

    async def open(self, key: str, *, sha256: str | None = None) -> BinaryIO:
        with ExitStack() as stack:
            async with self._faulty("open"):
                file = await super().open(key, sha256=sha256)
                stack.callback(file.close)
            stack.pop_all()
        return file

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        async with self._faulty("read"):
            async for chunk in super().read(key, start, end):
                yield chunk

    async def stat(self, key: str) -> Stat | None:
        async with self._faulty("stat"):
            return await super().stat(key)

    async def list(self, prefix: str) -> AsyncIterator[Stat]:
        async with self._faulty("list"):
            async for stat in super().list(prefix):
                yield stat

    async def delete(self, targets: Iterable[str]) -> None:
        async with self._faulty("delete"):
            await super().delete(targets)

    async def delete_prefix(self, prefix: str, *, keep: Collection[str] = ()) -> int:
        async with self._faulty("delete_prefix"):
            return await super().delete_prefix(prefix, keep=keep)


class FaultyWriter:
    def __init__(self, writer: Writer, storage: FaultyStorage) -> None:
        self._writer = writer
        self._storage = storage

    def feed(self, digest: Digest) -> None:
        self._writer.feed(digest)

    async def write(self, data: bytes | memoryview) -> None:
        async with self._storage._faulty("writer.write"):
            await self._writer.write(data)

    async def commit(self) -> None:
        async with self._storage._faulty("writer.commit"):
            await self._writer.commit()

    async def abort(self) -> None:
        async with self._storage._faulty("writer.abort"):
            await self._writer.abort()


class FaultyQueue(Queue):
    def __init__(self, url: str, name: str, faults: Faults) -> None:
        super().__init__(url, name)
        self._faults = faults

    async def _failing(self, operation: str, call: Any) -> Any:
        how = self._faults.at(operation)
        if how == "before":
            call.close()
            raise _away("queue")
        if how == "timeout":
            call.close()
            await asyncio.sleep(0.05)
            raise _away("queue")
        answer = await call
        if how:
            raise _away("queue")
        return answer

    async def add(self, jobs: Sequence[Job], **options: Any) -> None:
        await self._failing("add", super().add(jobs, **options))

    async def known(self, jobs: Sequence[Job]) -> list[bool]:
        found: list[bool] = await self._failing("known", super().known(jobs))
        return found

    async def remove(self, jobs: Sequence[Job]) -> None:
        await self._failing("remove", super().remove(jobs))

    async def sentinel(self) -> bool:
        return bool(await self._failing("sentinel", super().sentinel()))
