"""The worker's loop over BullMQ's scripts. Why our own: docs/decisions/0001-own-worker-loop.md.

One task fetches while there is room, one task for each job runs the handler and takes the next job in the round trip
that acknowledges the last, one renews locks, one looks for jobs whose worker is gone. A Redis that is away stops
nothing: each waits and goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from uuid import uuid4

import structlog
from redis.exceptions import AuthenticationError, NoPermissionError

from pixelmill.queue.client import DOWN, LONGEST, connect
from pixelmill.queue.job import Done, Failed, Handler, Later, Outcome
from pixelmill.queue.protocol import Ghost, Nothing, Protocol, Taken
from pixelmill.queue.queue import Queue
from pixelmill.queue.slots import Slots
from pixelmill.tasks import look_at_error

log = structlog.stdlib.get_logger(__name__)

_MOST_STALLS = 1_000_000  # BullMQ fails a job that stalls more often; ours are judged in SQL
_MOMENT = 0.25  # seconds that a job may take before something urgent is let in beside it
_HAND_BACK = 2.0  # seconds to hand one job back in, or to acknowledge one at the end


class Worker:
    """Takes jobs of ``queue`` and hands as many at a time to ``handler`` as there are ``slots``.

    The handler must not block the event loop. Its exception counts as :class:`Failed`; its cancellation (by
    :meth:`abandon`) hands the job back. A job is handed out at least once: again when this process, or its
    connection, is gone for longer than ``lock_seconds``.
    """

    def __init__(
        self,
        queue: Queue,
        handler: Handler,
        *,
        slots: Slots,
        lock_seconds: float = 15.0,
        scan_seconds: float = 5.0,
        block_seconds: float = 5.0,
    ) -> None:
        self._queue = queue
        self._handler = handler
        self._lock_ms = round(lock_seconds * 1000)
        self._scan_seconds = scan_seconds
        self._block_seconds = block_seconds
        self._client = connect(queue.url)
        self._waiting = connect(queue.url, name=queue.worker_name)  # blocks, so it has a connection of its own
        self._protocol = Protocol(self._client, queue.name)
        self._active: dict[str, Taken] = {}
        self._slots = slots
        self._knock: asyncio.Task[bool] | None = None
        self._working: set[asyncio.Task[None]] = set()
        self._handling: set[asyncio.Task[Outcome]] = set()
        self._stopping = asyncio.Event()
        self._abandoned = False
        self._down = False
        self._id = uuid4().hex
        self._tokens = 0

    @property
    def active(self) -> int:
        """How many jobs it has in hand."""
        return len(self._working)

    def stop(self) -> None:
        """Take no new job; :meth:`run` returns when those in hand are done."""
        self._stopping.set()
        self._slots.changed.set()

    async def abandon(self) -> None:
        """Cancel what is in hand and give it back to the queue, for another worker to take at once."""
        self._abandoned = True
        self.stop()
        for handling in self._handling:
            handling.cancel()
        if self._working:
            await asyncio.wait(self._working, timeout=2 * _HAND_BACK)

    async def run(self) -> None:
        """Work until :meth:`stop`. No error of Redis ends it."""
        await self._warn_of_eviction()
        helpers = [
            asyncio.create_task(self._every(self._lock_ms / 3000, self._renew)),
            asyncio.create_task(self._every(self._scan_seconds, self._rescue)),
        ]
        try:
            await self._fetch()
            while self._working:
                await asyncio.wait(self._working)
        finally:
            await _end([*helpers, *self._working, *([self._knock] if self._knock else [])])
            for client in (self._client, self._waiting):
                with contextlib.suppress(*DOWN):
                    await client.aclose()

    # Fetching

    async def _fetch(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                if self._slots.full and not await self._urgent():
                    continue
                found = await self._take()
                if isinstance(found, Taken):
                    self._start(found)
                elif isinstance(found, Nothing) and not self._slots.full:  # else the marker is for who has room
                    await self._wait(found)
                    await self._pass_on()
                failures = 0
                self._is_up()
            except DOWN as error:
                self._is_down(error)
                failures += 1
                await self._sleep(_backoff(failures))
            except Exception:
                log.exception("queue.fetch-failed")
                failures += 1
                await self._sleep(_backoff(failures))

    async def _urgent(self) -> bool:
        """All slots are busy. Wait for room (False), or for something urgent for which there is (True)."""
        self._slots.changed.clear()
        room = asyncio.create_task(self._slots.changed.wait())
        try:
            listened = True
            while not (self._slots.has_urgent and self._held_up()):
                listened = False
                if (await asyncio.wait({room}, timeout=_MOMENT))[0]:
                    return False
            if not listened and await self._queue.has_urgent(self._client):
                return True  # its knock may be over
            knock = self._listen()
            await asyncio.wait({room, knock}, return_when=asyncio.FIRST_COMPLETED)
            return knock.done() and not room.done() and knock.result()
        finally:
            room.cancel()

    def _held_up(self) -> bool:
        """Whether something urgent would wait longer than it must: for a job that is not, or for jobs that take long.

        Where all are urgent and short, the next slot is free at once: to let one in beside them costs the queue
        several commands.
        """
        long_ago = time.monotonic() - _MOMENT
        jobs = self._active.values()
        return any(not one.urgent for one in jobs) or all(one.at < long_ago for one in jobs)

    def _listen(self) -> asyncio.Task[bool]:
        """Listen at the door. Goes on when a slot gets free meanwhile: to break off would cost the connection."""
        if self._knock is None or self._knock.done():
            self._knock = asyncio.create_task(self._queue.knock(self._client, self._block_seconds))
            self._knock.add_done_callback(look_at_error)
        return self._knock

    async def _take(self) -> Taken | Nothing | Ghost:
        self._tokens += 1
        found = await self._protocol.take(f"{self._id}:{self._tokens}", self._lock_ms)
        return await self._bury(found) if isinstance(found, Ghost) else found

    async def _bury(self, ghost: Ghost) -> Ghost:
        """Forget an id whose job somebody deleted, or it would come back with every scan."""
        pipe = self._client.pipeline(transaction=True)
        pipe.lrem(self._protocol.keys["active"], 0, ghost.id)
        pipe.delete(self._protocol.key(ghost.id), self._protocol.key(ghost.id) + ":lock")
        async with asyncio.timeout(LONGEST):
            await pipe.execute()
        log.warning("queue.job-was-deleted", job=ghost.id)
        return ghost

    async def _wait(self, nothing: Nothing) -> None:
        """Block on the marker that adding a job sets, until the next delayed job is due, or until :meth:`stop`."""
        until = nothing.until / 1000 - time.time()
        if nothing.limited:
            await self._sleep(max(until, 0.001))
            return
        seconds = min(max(until, 0.001), self._block_seconds) if nothing.until else self._block_seconds
        pop = asyncio.ensure_future(self._waiting.bzpopmin(self._protocol.keys["marker"], seconds))
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({pop, stop}, return_when=asyncio.FIRST_COMPLETED)
            if pop.done():
                pop.result()
        finally:
            stop.cancel()
            await _end([pop])
            if self._stopping.is_set():  # the marker may have been taken by us, who will not act on it
                with contextlib.suppress(*DOWN):
                    await self._protocol.wake()

    async def _pass_on(self) -> None:
        """There may be less room than before: then the marker that was taken is another's."""
        if self._slots.full:
            await self._protocol.wake()

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    # Working

    def _start(self, taken: Taken) -> None:
        self._active[taken.bull.id] = taken
        self._slots.take()
        working = asyncio.create_task(self._work(taken))
        self._working.add(working)
        working.add_done_callback(self._ended)

    def _ended(self, working: asyncio.Task[None]) -> None:
        self._working.discard(working)
        self._slots.give()

    async def _work(self, taken: Taken) -> None:
        """Run the handler for a job, and then for each that comes with an acknowledgement."""
        following: Taken | None = taken
        while following is not None:
            current, following = following, None
            self._active[current.bull.id] = current
            try:
                outcome = await self._outcome(current)
                self._slots.took(time.monotonic() - current.at)
                following = await self._settle(current, outcome)
            finally:
                self._active.pop(current.bull.id, None)

    async def _outcome(self, taken: Taken) -> Outcome:
        # A task of its own, so that abandon() cancels the handler and never the acknowledgement after it.
        handling = asyncio.ensure_future(self._handler(taken.job))
        self._handling.add(handling)
        try:
            outcome = await handling
            if isinstance(outcome, Done):
                json.dumps(outcome.value, allow_nan=False)  # found out here, while it can still be told as a failure
            return outcome
        except asyncio.CancelledError:
            if self._abandoned and handling.cancelled():
                return Later(0)
            raise
        except Exception as error:
            log.exception("queue.handler-failed", job=taken.job.id)
            return Failed(f"{type(error).__name__}: {error}")
        finally:
            self._handling.discard(handling)

    async def _settle(self, taken: Taken, outcome: Outcome) -> Taken | None:
        """Tell the queue, however long it is away; what is next, if there is anything."""
        failures = 0
        hurry: float | None = None
        while True:
            if hurry is None and self._stopping.is_set():
                hurry = time.monotonic() + _HAND_BACK
            try:
                fetch = not hurry and not self._slots.over
                async with asyncio.timeout(_HAND_BACK if hurry else None):
                    found = await self._tell(taken, outcome, fetch=fetch)
                if not fetch:  # a worker that the limit of the whole queue held back would not know that it may go on
                    with contextlib.suppress(*DOWN):
                        await self._protocol.wake()
                self._is_up()
                if isinstance(found, Ghost):
                    await self._bury(found)
                return found if isinstance(found, Taken) else None
            except TypeError as error:  # BullMQ's word for: not yours any more
                log.info("queue.job-was-lost", job=taken.job.id, why=str(error))
                return None
            except DOWN as error:
                self._is_down(error)
                if hurry and time.monotonic() > hurry:
                    return None  # its lock ends by itself, and another worker finds in SQL what was done
                failures += 1
                await asyncio.sleep(_backoff(failures))
            except Exception as error:  # a flow's parent that may not complete, for one
                log.exception("queue.not-acknowledged", job=taken.job.id)
                if isinstance(outcome, Failed):
                    return None
                outcome = Failed(f"{type(error).__name__}: {error}")

    async def _tell(self, taken: Taken, outcome: Outcome, fetch: bool) -> Taken | Nothing | Ghost | None:
        match outcome:
            case Done(value):
                return await self._protocol.done(taken, value, self._lock_ms, fetch=fetch)
            case Later(seconds):
                return await self._protocol.later(taken, seconds, self._lock_ms, fetch=fetch)
            case Failed(reason):
                return await self._protocol.failed(taken, reason, self._lock_ms, fetch=fetch)

    # Helpers

    async def _renew(self) -> None:
        if self._active:
            for job_id in await self._protocol.extend(list(self._active.values()), self._lock_ms):
                log.info("queue.lock-was-lost", job=job_id)

    async def _rescue(self) -> None:
        # The scripts allow one scan in this time, of all workers; a little less than ours, or every second is missed.
        for job_id in await self._protocol.scan(_MOST_STALLS, round(self._scan_seconds * 800)):
            log.warning("queue.job-was-stalled", job=job_id)

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await act()
            except DOWN as error:
                self._is_down(error)
            except Exception:
                log.exception("queue.chore-failed")
            await asyncio.sleep(seconds)

    async def _warn_of_eviction(self) -> None:
        with contextlib.suppress(Exception):
            policy = await self._queue.eviction_policy()
            if policy != "noeviction":
                log.warning("queue.may-lose-jobs", maxmemory_policy=policy, advice="Set it to noeviction.")

    def _is_down(self, error: BaseException) -> None:
        if not self._down:
            self._down = True
            if isinstance(error, (AuthenticationError, NoPermissionError)):
                log.error("queue.refuses-us", error=str(error), advice="Mend the user or password in REDIS_URL.")
            else:
                log.warning("queue.away", error=str(error) or type(error).__name__)

    def _is_up(self) -> None:
        if self._down:
            self._down = False
            log.info("queue.back")


async def _end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    for task in (tasks := list(tasks)):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _backoff(failures: int) -> float:
    """0.1 s, doubling to 1 s, with jitter so that many workers do not come back in step."""
    return min(1.0, 0.1 * 2.0 ** min(failures - 1, 10)) * random.uniform(0.5, 1.0)  # noqa: S311
