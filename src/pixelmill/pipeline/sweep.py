"""Uploads that came to nothing are deleted when their time is over, and what taken ones left behind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from pixelmill.records import Database, uploads
from pixelmill.records.models import Upload
from pixelmill.records.tables import now
from pixelmill.settings import Settings
from pixelmill.storage import Storage, keys

log = logging.getLogger(__name__)


class Sweeper:
    def __init__(
        self, database: Database, storage: Storage, settings: Settings, *, clock: Callable[[], datetime] = now
    ) -> None:
        self._database = database
        self._storage = storage
        self._clock = clock
        # So long after its time is over, a request that began before may still write.
        self._late = timedelta(seconds=settings.upload_seconds + settings.lease_seconds)

    async def round(self) -> int:
        """Look at a page of uploads whose time is over; how many."""
        at = self._clock()
        found = await uploads.due(self._database, at)
        for one in found:
            if one.state == "taken":
                await self._taken(one, at)
            else:
                await self._storage.delete_prefix(keys.upload(one.id))
                if one.state == "deleting":
                    await uploads.postpone(self._database, one.id, at + self._late, state="deleted")
                else:
                    await uploads.forget(self._database, one.id)
        await uploads.forget_tickets(self._database, at - self._late)
        if found:
            log.info("uploads: %d were over", len(found))
        return len(found)

    async def _taken(self, one: Upload, at: datetime) -> None:
        """Its batch has the bytes it needs; the rest goes."""
        kept = await uploads.kept_by(self._database, one)
        if kept == "":
            await uploads.postpone(self._database, one.id, at + self._late, state="taken")
            return
        prefix = keys.upload(one.id)
        loose = [stat.key async for stat in self._storage.list(prefix) if stat.key != kept]
        if kept is None:
            await self._storage.delete_prefix(prefix)
        elif loose:
            await self._storage.delete(loose)
        await uploads.forget(self._database, one.id)
