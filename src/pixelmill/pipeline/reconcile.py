"""Chapter last: whatever the record shows to be unfinished, and nobody sees to, is put right.

One leader at a time does it, every few seconds, in bounded pages. Everything here may be done twice without harm.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from pixelmill.errors import PixelmillError
from pixelmill.pipeline.presence import Presence, bury
from pixelmill.pipeline.retain import Retainer
from pixelmill.pipeline.sample import Sampler
from pixelmill.pipeline.sweep import Sweeper
from pixelmill.pipeline.work import LONGEST_WAIT
from pixelmill.queue import Job, Queue
from pixelmill.records import Database, idempotency, intents, processes, switches, waiting
from pixelmill.records.processes import Watch
from pixelmill.records.waiting import Waiting
from pixelmill.settings import Settings
from pixelmill.storage import Storage, keys

log = structlog.stdlib.get_logger(__name__)

ROLE = "reconciler"
PAGE = 500


class Reconciler:
    def __init__(
        self, database: Database, storage: Storage, queue: Queue, settings: Settings, *, presence: Presence
    ) -> None:
        self._database = database
        self._storage = storage
        self._queue = queue
        self._settings = settings
        self._presence = presence
        self._processes: Watch = Watch(settings.lease_seconds)
        self._leader: Watch = Watch(settings.lease_seconds)
        self._retainer = Retainer(database, storage, settings)
        self._sampler = Sampler(database)
        self._uploads = Sweeper(database, storage, settings)
        self._cursor = ""
        self._admitting = ""
        #: The queue has lost everything, and not all of it is back yet.
        self._lost = False

    async def run(self) -> None:
        """Round after round until canceled. A round that fails is logged, and the next one is tried."""
        while True:
            try:
                await self.round()
            except (PixelmillError, OSError) as error:
                log.warning("this round of the reconciler broke off", error=str(error))
            except Exception:
                log.exception("this round of the reconciler broke off")
            await asyncio.sleep(self._settings.reconcile_seconds)

    async def round(self) -> None:
        """One round. A process that does not lead only watches the beats, so that it can take over well informed."""
        dead = self._processes.still(await processes.beats(self._database))
        if not await self._lead():
            return
        for process_id in dead:
            if process_id != self._presence.id:
                log.warning("process %s is dead; what it held is taken back", process_id)
                await bury(self._database, process_id)
        for process_id in await processes.unknown(self._database):
            log.warning("process %s took work after its death; that is taken back", process_id)
            await bury(self._database, process_id)
        await self._queue.limit(self._settings.max_active)
        await self.restore()
        await self.queue_what_waits()
        await self.admit()
        await self.sweep_requests()
        await self.sweep_tries()
        await self._sampler.round()
        await self._uploads.round()
        await self._retainer.round()
        await idempotency.expire(self._database, keep=timedelta(seconds=self._settings.idempotency_seconds))

    async def _lead(self) -> bool:
        role = await processes.role(self._database, ROLE)
        if role is None or role[0] == self._presence.id:
            return await processes.keep_role(self._database, ROLE, self._presence.id)
        if self._leader.still({role[0]: role[1]}):
            return await processes.keep_role(self._database, ROLE, self._presence.id, over=role)
        return False

    async def restore(self) -> None:
        """Give a queue that lost everything back what it is to know: that it is paused, then all that waits."""
        self._lost = not await self._queue.sentinel() or self._lost
        if self._lost:
            if await switches.is_on(self._database, switches.PAUSED):
                await self._queue.pause()
            await self.queue_what_waits(everything=True)
            self._lost = False

    async def queue_what_waits(self, *, everything: bool = False) -> None:
        """Queue what waits and the queue does not know: a page a round, or all when the queue lost everything."""
        if everything:
            self._cursor = ""
        while True:
            page = await waiting.page(self._database, self._cursor, PAGE)
            self._cursor = page[-1].image_id if len(page) == PAGE else ""
            await self._queue_unknown(page)
            if not everything or not self._cursor:
                return

    async def admit(self) -> None:
        """Tell the queue of what was held back, as much as there is room for: a few batches a round."""
        found, self._admitting = await waiting.admit(self._database, self._settings.batch_window, self._admitting)
        await self._queue.add([Job(one.image_id, one.generation, one.priority) for one in found])

    async def _queue_unknown(self, page: list[Waiting]) -> None:
        for one in page:
            if one.delay > LONGEST_WAIT:  # nobody waits so long: the clock was set back meanwhile
                generation = await waiting.renew(self._database, one.image_id, one.generation, at_once=True)
                if generation:
                    await self._queue.add([Job(one.image_id, generation, one.priority)])
        page = [one for one in page if one.delay <= LONGEST_WAIT]
        jobs = [Job(one.image_id, one.generation, one.priority, one.delay) for one in page]
        unknown = await self._unknown(jobs)
        if not unknown:
            return
        await self._queue.add(unknown)
        # What the queue still does not know, it holds as finished: that id is used up.
        for job in await self._unknown(unknown):
            generation = await waiting.renew(self._database, job.image_id, job.generation)
            if generation:
                await self._queue.add([Job(job.image_id, generation, job.priority, job.delay)])
        log.info("queued %d images that the queue did not know", len(unknown))

    async def _unknown(self, jobs: list[Job]) -> list[Job]:
        known = await self._queue.known(jobs) if jobs else []
        return [job for job, is_known in zip(jobs, known, strict=True) if not is_known]

    async def sweep_requests(self) -> None:
        """Delete the bytes of requests whose process died before it accepted them, or could not clean up."""
        # A commit that waits for its database may take this much longer than the body.
        longest = timedelta(seconds=self._settings.upload_seconds + 60 * self._settings.lease_seconds)
        for batch_id in await intents.orphans(self._database, datetime.now(UTC) - longest):
            await self._storage.delete_prefix(keys.originals(batch_id))
            await intents.forget(self._database, batch_id)

    async def sweep_tries(self) -> None:
        """Delete what tries left behind, once the longest deadline is over: a late writer may still write before."""
        before = datetime.now(UTC) - timedelta(seconds=self._settings.image_seconds + self._settings.lease_seconds)
        found = await waiting.leftovers(self._database, before)
        for one in found:
            prefix = keys.attempt(one.batch_id, one.image_id, one.token)
            stored = [stat.key async for stat in self._storage.list(prefix)]
            if loose := [key for key in stored if key not in one.keep]:
                await self._storage.delete(loose)
            if one.fetches and (original := keys.fetched(one.batch_id, one.image_id, one.token)) not in one.keep:
                await self._storage.delete_prefix(original)
        if found:
            await waiting.swept(self._database, [one.token for one in found])
