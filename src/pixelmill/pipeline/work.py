"""Chapter two: a worker makes what is missing of one image.

Claim, open, decode once, store each variant as it is made, record it, end the try. Bytes are stored before they are
recorded, under a prefix of this try's own. Whatever goes wrong ends in the record: tried again, or a dead letter.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext

import structlog

from pixelmill.errors import PixelmillError
from pixelmill.imaging import DecoderDied, Decoders, Inspected, Made, NotMade, Result, engine_version
from pixelmill.pipeline import targets
from pixelmill.pipeline.ahead import ahead
from pixelmill.pipeline.alone import Alone
from pixelmill.pipeline.ending import replay
from pixelmill.pipeline.fetch import Fetcher
from pixelmill.pipeline.presence import Presence, new_id
from pixelmill.queue import Done, Failed, Job, Later, Queue
from pixelmill.recipes import reread
from pixelmill.records import Database, giving_back, known, work
from pixelmill.records.claims import Claim, Failure, Fenced, LostVariant, MadeVariant, Refusal, Report, Seen
from pixelmill.records.reuse import reuse
from pixelmill.settings import Settings
from pixelmill.storage import Storage, keys

log = structlog.stdlib.get_logger(__name__)

#: Decoders that one image may kill before it is poison (DESIGN: counted by signal deaths while decoding this image).
POISON = 2
#: Results that a decoder may be ahead of their storing.
AHEAD = 2
#: Seconds between two recordings of variants: live to whoever watches, and a transaction for several of an image.
PACE = 0.1
#: Longest wait between two tries, in seconds.
LONGEST_WAIT = 600.0


class Millhand:
    """Works on images, for one worker process."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        queue: Queue,
        decoders: Decoders,
        settings: Settings,
        *,
        presence: Presence,
        aside: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        target: targets.Target | None = None,
    ) -> None:
        """``aside()`` is entered while nothing but another host is waited for: another image may be worked on then."""
        self._database = database
        self._storage = storage
        self._queue = queue
        self._aside = aside
        self._decoders = decoders
        self._settings = settings
        self._presence = presence
        self._alone = Alone()
        self._fetcher = Fetcher(database, storage, settings)
        self._target = target

    async def __call__(self, job: Job) -> Done | Later | Failed:
        """Work on the image of a queue job. What the record says counts; the job only points to it."""
        token = new_id()
        with self._presence.holding(token, job.image_id):
            return await self._take(job, token)

    async def _take(self, job: Job, token: str) -> Done | Later | Failed:
        claiming = asyncio.ensure_future(self._claim(job, token))
        try:
            held = await asyncio.shield(claiming)
            if held in (Refusal.BUSY, Refusal.EARLY, Refusal.NEWER):
                soon, late = self._settings.retry_seconds, self._settings.lease_seconds
                return Later(soon if held is Refusal.EARLY else late)
            if isinstance(held, Refusal):
                return await self._replay(job) if job.retried else Done()
            self._queue.ring([held.batch_id])
            return await self._work(held)
        except Fenced:
            log.info("image %s is no longer ours", job.image_id)
            return Done()
        except asyncio.CancelledError:
            # A claim that was on its way when we were told to stop may be given all the same.
            await asyncio.shield(asyncio.ensure_future(self._hand_back(claiming)))
            raise

    def _claim(self, job: Job, token: str) -> Awaitable[Claim | Refusal]:
        return work.claim(
            self._database,
            job.image_id,
            job.generation,
            token=token,
            process_id=self._presence.id,
            worker=self._presence.name,
            engine=engine_version() if self._settings.reuse else None,
        )

    async def _replay(self, job: Job) -> Done | Failed:
        """Retry was pressed in Arena or bull-board: the id is used up, so the image gets a new generation."""
        try:
            await replay(self._database, self._queue, job.image_id)
        except PixelmillError as error:
            return Failed(str(error))
        return Done({"replayed": job.image_id})

    async def _work(self, held: Claim) -> Done | Failed:
        report = Report()
        started = time.perf_counter()
        try:
            if held.missing:
                if held.key is None:
                    held = await self._fetch(held, report)
                if held.known:
                    held = await self._reuse(held, report)
            if held.missing:
                # An image that took workers down with it before is worked on alone: it takes no other with it again.
                async with self._alone.exclusive() if held.take_overs else self._alone.shared():
                    await self._make(held, report)
            report.timings["total"] = round(time.perf_counter() - started, 4)
            await work.complete(self._database, held, report)
        except Fenced:
            raise
        except Exception as error:
            return await self._fail(held, report, error)
        finally:
            self._queue.ring([held.batch_id])
        return Done({"imageId": held.image_id, "batchId": held.batch_id})

    async def _fetch(self, held: Claim, report: Report) -> Claim:
        clock = time.perf_counter()
        async with self._aside():
            held = await self._fetcher.fetch(held)
        report.timings["fetch"] = round(time.perf_counter() - clock, 4)
        return held

    async def _make(self, held: Claim, report: Report) -> None:
        """Make, store and deliver the missing variants. The last ones stay in ``report``, to be recorded at the end."""
        deliveries = targets.Deliveries()
        try:
            left = await self._decode(held, report, deliveries)
            if deliveries.any:
                async with self._aside():
                    await self._deliver(held, report, deliveries)
        except Fenced:
            raise
        except Exception:
            report.made += await deliveries.rest()
            raise
        finally:
            await deliveries.give_up()
        if left:
            raise PixelmillError("internal-error", f"The decoder ended {left} variants early.")

    async def _deliver(self, held: Claim, report: Report, deliveries: targets.Deliveries) -> None:
        """Wait for what is still on its way."""
        while deliveries.any:
            if report.made or report.lost:
                await self._record(held, report)
            await deliveries.wait()
            report.made += deliveries.take()

    async def _decode(self, held: Claim, report: Report, deliveries: targets.Deliveries) -> int:
        """Make and store the missing variants; how many the decoder did not come to."""
        assert held.key is not None
        recipe = reread(json.dumps(held.recipe))
        clock = time.perf_counter()
        with await self._storage.open(held.key, sha256=held.sha256) as source:
            report.timings["open"] = round(time.perf_counter() - clock, 4)
            left = len(held.missing)
            made = self._decoders.make(source, recipe, held.missing, urgent=held.priority == 0)
            # The decoder goes on while what it made is stored and recorded: together, if more of it has come.
            due = time.monotonic() + PACE
            async with aclosing(ahead(made, AHEAD, PACE)) as several:
                async for results in several:
                    left -= sum(isinstance(result, (Made, NotMade)) for result in results)
                    await self._note(held, report, results, deliveries)
                    report.made += deliveries.take()
                    if left and (report.made or report.lost) and time.monotonic() >= due:
                        await self._record(held, report)
                        due = time.monotonic() + PACE
        return left

    async def _note(
        self, held: Claim, report: Report, results: Sequence[Result], deliveries: targets.Deliveries
    ) -> None:
        """Store what was made, begin to send it, and put into ``report`` what is to be recorded now."""
        for result in results:
            if isinstance(result, Inspected):
                report.seen = Seen(result.format, result.width, result.height, result.facts)
            elif isinstance(result, NotMade):
                report.lost.append(LostVariant(result.variant, result.code, result.reason))
        made = [result for result in results if isinstance(result, Made)]
        stored = await asyncio.gather(*(self._store(held, result) for result in made), return_exceptions=True)
        for result, one in zip(made, stored, strict=True):
            if isinstance(one, BaseException):
                continue
            if self._target is None:
                report.made.append(one)
            else:
                name = keys.name(held.batch_id, held.image_id, result.variant)
                deliveries.begin(self._target, name, bytes(result.data), one)
        for one in stored:
            if isinstance(one, BaseException):
                raise one

    async def _reuse(self, held: Claim, report: Report) -> Claim:
        """Take over what was made before and is still there; the claim of what is left to make."""
        clock = time.perf_counter()
        found = await asyncio.gather(*(self._storage.stat(one.key) for one in held.known.values()))
        there = {name: one for (name, one), stat in zip(held.known.items(), found, strict=True) if stat}
        if lost := [one for name, one in held.known.items() if name not in there]:
            log.warning("%d results that the record knows are not in storage", len(lost))
            await known.missing(self._database, lost)
        held = await reuse(self._database, held, there)
        report.timings["reuse"] = round(time.perf_counter() - clock, 4)
        if held.missing:
            self._queue.ring([held.batch_id])
        return held

    async def _store(self, held: Claim, made: Made) -> MadeVariant:
        key = keys.result(held.batch_id, held.image_id, held.token, made.variant, made.extension)
        await self._storage.put(key, made.data)
        return MadeVariant(
            name=made.variant,
            key=key,
            format=made.format,
            content_type=made.content_type,
            width=made.width,
            height=made.height,
            bytes=len(made.data),
            quality=made.quality,
            seconds=round(made.seconds, 4),
            facts=made.facts,
            digest=held.digests.get(made.variant),
        )

    async def _record(self, held: Claim, report: Report) -> None:
        await work.record(self._database, held, report)
        report.seen, report.made, report.lost = None, [], []
        self._queue.ring([held.batch_id])

    async def _fail(self, held: Claim, report: Report, error: Exception) -> Done | Failed:
        known = error if isinstance(error, PixelmillError) else _wrapped(error)
        crashed = isinstance(error, DecoderDied) and error.code == "decoder-died"
        code, reason = known.code, known.detail
        delay: float | None = self._delay(held)
        if crashed and held.crashes + 1 >= POISON:
            code, reason, delay = "poison-image", f"Decoding it ended {held.crashes + 1} decoder processes.", None
        elif known.spec.permanent or held.tries >= self._settings.tries:
            delay = None
        trace = "".join(traceback.format_exception(error))
        if not isinstance(error, PixelmillError):
            log.error("image %s failed", held.image_id, exc_info=error)
        failure = Failure(code, reason, trace, delay, crashed)
        await work.fail(self._database, held, failure, report)
        if delay is None:
            return Failed(f"{code}: {reason}")
        await _add(self._queue, Job(held.image_id, held.generation + 1, held.priority, delay))
        return Done({"retry": held.generation + 1})

    def _delay(self, held: Claim) -> float:
        """Seconds until the next try: doubling, with full jitter on the upper half so that retries do not gather."""
        longest = min(LONGEST_WAIT, self._settings.retry_seconds * 2.0 ** (held.tries - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing

    async def _hand_back(self, claiming: Awaitable[Claim | Refusal]) -> None:
        """Give up an unfinished image on shut-down, so that another worker has it at once."""
        try:
            held = await claiming
            if isinstance(held, Refusal):
                return
            generation = await giving_back.hand_back(self._database, held)
        except PixelmillError:
            return  # the record is out of reach; the lease runs out and the reconciler does it
        if generation is not None:
            await _add(self._queue, Job(held.image_id, generation, held.priority))


async def _add(queue: Queue, job: Job) -> None:
    try:
        await queue.add([job])
    except PixelmillError:
        log.warning("the queue is down; image %s is queued when it is back", job.image_id)


def _wrapped(error: Exception) -> PixelmillError:
    if isinstance(error, OSError):
        return PixelmillError("storage-unavailable", f"Reading or writing its bytes failed: {error}.")
    return PixelmillError("internal-error", f"{type(error).__name__}: {error}")
