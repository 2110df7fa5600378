"""What has been kept long enough is deleted: bytes first, then what the record says of them.

The leader of the reconciler does it, a few batches a round. Each step may be done twice without harm.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from pixelmill.errors import PixelmillError
from pixelmill.pipeline import targets
from pixelmill.pipeline.ending import cancel
from pixelmill.pipeline.loose import drop_loose, drop_results
from pixelmill.queue import Queue
from pixelmill.records import Database, deliveries, known, retention
from pixelmill.records.keys import By
from pixelmill.records.retention import Doomed, Part
from pixelmill.records.tables import now
from pixelmill.settings import Settings
from pixelmill.storage import Storage, keys
from pixelmill.tasks import some_at_a_time

log = logging.getLogger(__name__)

#: Seconds that one round may start new work in: the reconciler has more to do.
ROUND = 2.0


class Retainer:
    def __init__(
        self, database: Database, storage: Storage, settings: Settings, *, clock: Callable[[], datetime] = now
    ) -> None:
        self._database = database
        self._storage = storage
        self._target = targets.connect(settings)
        self._clock = clock
        self._keep_deliveries = timedelta(seconds=settings.keep_deliveries_seconds)
        # So long after it lost its image, a worker may still write: the longest deadline, and the lease.
        self._late = timedelta(seconds=settings.image_seconds + settings.lease_seconds)

    async def round(self) -> int:
        """Delete what is due, until all is done or the time of a round is over; how many steps were done."""
        done = 0
        for part in Part:
            due = partial(retention.due, self._database, part, self._clock())
            done += await self._pages(due, partial(self._part, part=part))
        done += await self._pages(partial(retention.doomed, self._database), self.finish)
        try:
            done += await drop_loose(self._database, self._storage, self._target)
        except (OSError, PixelmillError) as error:
            _not_yet(error)
            log.warning("results that nobody uses are not deleted yet: %s", error)
        if self._keep_deliveries:
            done += await deliveries.prune(self._database, self._clock() - self._keep_deliveries)
        if done:
            log.info("retention: %d steps", done)
        return done

    @classmethod
    async def _pages(
        cls, find: Callable[..., Awaitable[list[Doomed]]], step: Callable[[Doomed], Awaitable[bool]]
    ) -> int:
        """Page by page, for a third of the round: what has more to do than its time must not hold up the rest."""
        end = time.monotonic() + ROUND / 3
        done = 0
        stuck: set[str] = set()
        while page := await find(without=stuck):
            ends = await some_at_a_time([partial(cls._tried, step, one) for one in page], retention.TOGETHER)
            stuck.update(one.batch_id for one, deleted in zip(page, ends, strict=True) if not deleted)
            done += sum(ends)
            if time.monotonic() > end:
                break
        return done

    async def purge(self, queue: Queue, batch_id: str, *, by: By) -> None:
        """Delete a batch now, whatever its retention; cancel what still runs. Raises ``not-found`` or ``conflict``.

        Nothing of it can be seen afterwards, and no byte is left but results that another batch uses. Where a canceled
        worker may still write, hidden rows stay until its deadline is over and what it wrote is deleted too.
        """
        await cancel(self._database, queue, batch_id)
        one = await retention.doom(self._database, batch_id, by)
        if one is None:
            raise PixelmillError("conflict", "It was opened again in this moment.")
        await self._delete(one, Part.ORIGINALS)
        await self._delete(one, Part.RESULTS)
        await drop_loose(self._database, self._storage, self._target)
        await self.finish(one)
        queue.ring([batch_id])

    async def finish(self, one: Doomed) -> bool:
        """Delete the last bytes and the rows of a batch that is ``deleting``, unless somebody may still write."""
        if await retention.may_still_write(self._database, one.batch_id, self._clock() - self._late):
            return False
        await self._delete(one, Part.ORIGINALS)
        await self._delete(one, Part.RESULTS)
        await retention.erase(self._database, one.batch_id)
        return True

    async def _part(self, one: Doomed, part: Part) -> bool:
        await self._delete(one, part)
        await retention.gone(self._database, part, one.batch_id)
        return True

    @staticmethod
    async def _tried(step: Callable[[Doomed], Awaitable[bool]], one: Doomed) -> bool:
        """What cannot be deleted now holds up nothing else, and is tried again in the next round."""
        try:
            return await step(one)
        except (OSError, PixelmillError) as error:
            _not_yet(error)
            log.warning("batch %s is not deleted yet: %s", one.batch_id, error)
            return False

    async def _delete(self, one: Doomed, part: Part) -> None:
        if part is Part.ORIGINALS:
            await self._storage.delete_prefix(keys.originals(one.batch_id))
            for upload in filter(None, map(keys.upload_of, one.keys)):
                await self._storage.delete_prefix(upload)
        else:
            used = await known.lent(self._database, one.batch_id)
            await drop_results(self._storage, self._target, keys.processed(one.batch_id), used)


def _not_yet(error: Exception) -> None:
    """Raise it again unless it comes from where bytes lie."""
    if isinstance(error, PixelmillError) and error.code != "delivery-failed":
        raise error
