"""Everything in a bucket is made, however much that is: page after page, never more at a time than is wanted.

Each page of objects becomes a batch, and the place up to which all was taken moves in the batch's own transaction: a
backfill that is broken off goes on there, and nothing is taken twice. It waits while much waits already.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import structlog

from pixelmill.errors import PixelmillError
from pixelmill.pipeline.accept import Acceptance, Intake
from pixelmill.recipes import Recipe
from pixelmill.records import backfills, waiting
from pixelmill.storage import Stat, Storage

log = structlog.stdlib.get_logger(__name__)

#: Objects that are read at a time.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to make, of what. ``page``: images of one batch; ``depth``: images that may wait before it goes on."""

    source: str
    recipe: Recipe
    preset: str | None = None
    retention: Mapping[str, float] | None = None
    priority: int = 100
    page: int = 100
    depth: int = 1_000

    @property
    def id(self) -> str:
        """The same source with the same recipe is the same backfill."""
        return hashlib.sha256(json.dumps([self.source, self.recipe.plain], sort_keys=True).encode()).hexdigest()


class Backfill:
    """One backfill. ``intake`` takes what is in ``bucket``, which may be any: it is only read."""

    def __init__(self, intake: Intake, bucket: Storage, wanted: Wanted, *, pause: float = 1.0) -> None:
        self._intake = intake
        self._bucket = bucket
        self._wanted = wanted
        self._pause = pause

    async def run(self, told: Callable[[int, str], None], *, again: bool = False) -> int:
        """To the end; how many images were taken, earlier runs included. ``told(images, key)`` after each page.

        Raises ``conflict`` when another process runs the same backfill, and what storage and records raise.
        """
        wanted = self._wanted
        cursor, total = await backfills.start(self._intake.database, wanted.id, wanted.source, again=again)
        async with aclosing(self._pages(cursor)) as pages:
            async for page in pages:
                await self._until_there_is_room()
                total += await self._take(page, cursor)
                cursor = page[-1].key
                told(total, cursor)
        return total

    async def _pages(self, cursor: str) -> AsyncGenerator[list[Stat], None]:
        page: list[Stat] = []
        async for one in self._bucket.walk(cursor):
            if one.key.endswith("/"):  # what some tools leave for a folder
                continue
            page.append(one)
            if len(page) == self._wanted.page:
                yield page
                page = []
        if page:
            yield page

    async def _until_there_is_room(self) -> None:
        most = self._wanted.depth
        while True:
            if await waiting.count(self._intake.database, most) < most:
                return
            await asyncio.sleep(self._pause)

    async def _take(self, page: list[Stat], before: str) -> int:
        """Make a batch of a page; how many images it has."""
        moved = 0

        async def move(tx: Any) -> None:
            if not await backfills.advance(tx, self._wanted.id, before=before, cursor=page[-1].key, images=moved):
                raise PixelmillError("conflict", "Another process runs the same backfill.")

        acceptance = await self._intake.begin()
        try:
            await self._read_all(acceptance, page)
            moved = acceptance.total
            await acceptance.commit(
                recipe=self._wanted.recipe,
                preset=self._wanted.preset,
                metadata={"backfill": self._wanted.source, "after": before, "upTo": page[-1].key},
                priority=self._wanted.priority,
                retention=self._wanted.retention,
                also=move,
            )
        except PixelmillError as error:
            if "files" not in error.extra and error.code != "no-files":
                raise
            log.warning("backfill.nothing-usable", after=before, up_to=page[-1].key, code=error.code)
            moved = 0
            async with self._intake.database.write() as tx:
                await move(tx)
        finally:
            await acceptance.abandon()
        return moved

    async def _read_all(self, acceptance: Acceptance, page: list[Stat]) -> None:
        limit = asyncio.Semaphore(AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                for one in page:
                    group.create_task(self._read(acceptance, one, limit))
        except ExceptionGroup as several:
            raise several.exceptions[0] from None

    async def _read(self, acceptance: Acceptance, one: Stat, limit: asyncio.Semaphore) -> None:
        async with limit, aclosing(self._bucket.read_any(one.key)) as chunks:
            try:
                first = await anext(chunks, b"")
            except FileNotFoundError:  # deleted since it was listed
                return
            file = await acceptance.file(one.key)
            await file.write(first)
            async for chunk in chunks:
                await file.write(chunk)
                if file.error:
                    break
            await file.close()
