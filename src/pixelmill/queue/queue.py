"""The queue as its users see it: add, ask, pause, ring."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from pixelmill.errors import PixelmillError
from pixelmill.queue.client import DOWN, connect
from pixelmill.queue.job import Job
from pixelmill.queue.protocol import Protocol

T = TypeVar("T")

STATES = ("waiting", "prioritized", "delayed", "active", "paused", "completed", "failed")

_PATIENCE = 1.0  # seconds for one answer
_PATIENCE_EACH = 0.001  # and for each job of many
_CHUNK = 1_000  # jobs in one round trip; more would hold up the server for others
_KNOCKS = 100  # of urgent jobs that nobody had room for; each counts for _KNOCK_MS
_KNOCK_MS = 1_000
_RING_EVERY = 0.1  # seconds: as often as variants of one image are recorded
_QUIET = 10.0  # seconds of silence after which the doorbell's connection is asked whether it lives

log = structlog.stdlib.get_logger(__name__)


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except DOWN as error:
        raise PixelmillError("unavailable", "The queue does not answer; try again in a moment.") from error


class Queue:
    """BullMQ's queue ``name`` at ``url`` (``redis://``, ``rediss://`` or ``unix:///path``).

    Makes no connection before its first use. Every method raises ``PixelmillError("unavailable")`` after about a
    second when the server does not answer, :meth:`ring` and :meth:`bells` excepted.
    """

    def __init__(self, url: str, name: str = "images") -> None:
        self.url = url
        self.name = name
        self._client = connect(url)
        self._protocol = Protocol(self._client, name)
        self._marker = f"pixelmill:{name}:marker"
        self._bell = f"pixelmill:{name}:bell"
        self._door = f"pixelmill:{name}:door"
        self._news: set[str] = set()
        self._ringing: asyncio.Task[None] | None = None
        self._next_ring = 0.0

    @property
    def worker_name(self) -> str:
        """The connection name by which Arena and bull-board list a worker."""
        return f"bull:{base64.b64encode(self.name.encode()).decode()}:w:{socket.gethostname()}-{os.getpid()}"

    async def add(self, jobs: Sequence[Job], *, ring: str | None = None) -> None:
        """Queue jobs in one round trip (a thousand each). An id that BullMQ holds in any state is left as it is.

        ``ring``: a batch to :meth:`ring` for, in the same round trip.
        """
        for start in range(0, len(jobs), _CHUNK):
            chunk = jobs[start : start + _CHUNK]
            # No MULTI: to run twice is harmless, and a long transaction would hold up the server for others.
            pipe = self._client.pipeline(transaction=False)
            for job in chunk:
                await self._protocol.add(pipe, job)
            if urgent := sum(job.priority == 0 and not job.delay for job in chunk):
                pipe.rpush(self._door, *[1] * min(urgent, _KNOCKS))
                pipe.ltrim(self._door, 0, _KNOCKS - 1)
                pipe.pexpire(self._door, _KNOCK_MS)
            if ring and start == 0:
                pipe.publish(self._bell, ring)
            await self._answer(self._protocol.piped(pipe), len(chunk))

    async def knock(self, client: Redis, seconds: float) -> bool:
        """For a worker whose slots are all busy: wait until something urgent has come in that nobody has taken.

        False: nothing has, for so long. ``client`` is one that may block. Each knock is heard by one such worker; one
        that nobody heard is not the last word.
        """
        await client.blpop([self._door], seconds)
        return await self.has_urgent(client)

    async def has_urgent(self, client: Redis) -> bool:
        """Whether something urgent waits that nobody has taken."""
        return bool(await client.llen(self._protocol.keys["wait"]))

    async def known(self, jobs: Sequence[Job]) -> list[bool]:
        """Which of these BullMQ holds and has not finished, in any of waiting, prioritized, delayed, active, paused.

        Constant time a job: its hash exists from the adding script on and has ``finishedOn`` from the finishing
        script on, and scripts are atomic.
        """
        pipe = self._client.pipeline(transaction=False)
        for job in jobs:
            pipe.hmget(self._protocol.key(job.id), "name", "finishedOn")
        rows = await self._answer(pipe.execute(), len(jobs)) if jobs else []
        return [name is not None and finished is None for name, finished in rows]

    async def remove(self, jobs: Sequence[Job]) -> None:
        """Take jobs out, in whatever state; one that a worker holds stays with it."""
        if jobs:
            pipe = self._client.pipeline(transaction=False)
            for job in jobs:
                self._protocol.remove(pipe, job.id)
            await self._answer(self._protocol.piped(pipe), len(jobs))

    async def counts(self) -> dict[str, int]:
        """How many jobs there are in each of :data:`STATES`."""
        found = await self._answer(self._protocol.scripts.getCounts(list(STATES)))
        return {state: int(count or 0) for state, count in zip(STATES, found, strict=True)}

    async def pause(self) -> None:
        """Workers finish what they have and take nothing new, all over the queue."""
        await self._answer(self._protocol.scripts.pause(True))

    async def resume(self) -> None:
        while await self._answer(self._protocol.scripts.pause(False)):
            pass  # an older BullMQ keeps paused jobs in a list of their own, which comes back in parts

    async def paused(self) -> bool:
        return bool(await self._answer(self._client.hexists(self._protocol.keys["meta"], "paused")))

    async def limit(self, most: int) -> None:
        """Have at most ``most`` jobs worked on at a time, by all workers together; 0: as many as they have slots."""
        meta = self._protocol.keys["meta"]
        if most:
            await self._answer(self._client.hset(meta, "concurrency", most))
        else:
            await self._answer(self._client.hdel(meta, "concurrency"))

    async def sentinel(self) -> bool:
        """Whether the marker key was there; it is now. False: Redis is new, or has lost everything."""
        return not await self._answer(self._client.set(self._marker, "1", nx=True))

    async def ping(self) -> bool:
        """Whether the server answers. Never raises."""
        try:
            return bool(await self._answer(self._client.ping()))
        except PixelmillError:
            return False

    async def eviction_policy(self) -> str:
        """The server's ``maxmemory-policy``; anything but ``noeviction`` may lose jobs when its memory is full."""
        return str((await self._answer(self._client.info("memory"))).get("maxmemory_policy", "noeviction"))

    def ring(self, batch_ids: Iterable[str]) -> None:
        """Tell every listener that these batches have news. Best effort: events are in SQL, this only hurries.

        At once, or, where much happens, together with what rings within the next moment.
        """
        self._news.update(batch_ids)
        if self._news and (self._ringing is None or self._ringing.done()):
            self._ringing = asyncio.create_task(self._ring())

    async def _ring(self) -> None:
        while self._news:
            await asyncio.sleep(self._next_ring - time.monotonic())
            ids, self._news = self._news, set()
            self._next_ring = time.monotonic() + _RING_EVERY
            try:
                await self._answer(self._client.publish(self._bell, ",".join(ids)))
            except PixelmillError:
                log.debug("doorbell.unheard")

    async def bells(self) -> AsyncGenerator[frozenset[str] | None, None]:
        """Batch ids as they ring, those that ring together in one set. Never ends by itself.

        None says "look yourself": after every (re)connection, for what rang before was not heard, and every 2 s
        while the server is away.
        """
        while True:
            # No silent reconnection by redis-py: a bell that rang meanwhile would be missed without a word.
            client = connect(self.url, retries=0)
            try:
                async with client, client.pubsub() as sub:
                    async with asyncio.timeout(5.0):
                        await sub.subscribe(self._bell)
                    if await sub.get_message(timeout=5.0) is None:
                        raise TimeoutError("The server does not answer.")
                    yield None
                    while True:
                        yield await _rung(sub)
            except DOWN as error:
                log.debug("doorbell.lost", error=str(error))
            yield None
            await asyncio.sleep(2.0)

    async def close(self) -> None:
        if self._ringing is not None and not self._ringing.done():
            await asyncio.wait({self._ringing})
        await self._client.aclose()

    async def _answer(self, call: Awaitable[T], many: int = 1) -> T:
        """Wait for the server, but not for long: a request behind it must be answered."""
        with _reported():
            async with asyncio.timeout(_PATIENCE + many * _PATIENCE_EACH):
                return await call


async def _rung(sub: PubSub) -> frozenset[str]:
    """Wait for a bell, then gather what rang with it."""
    ids: set[str] = set()
    while not ids:
        message = await sub.get_message(timeout=_QUIET)
        if message is None:  # silence, or a connection that is dead without a sign: ask
            await sub.ping()
            message = await sub.get_message(timeout=5.0)
            if message is None:
                raise TimeoutError("The server does not answer.")
        while message is not None:
            if message["type"] == "message":
                ids.update(str(message["data"]).split(","))
            message = await sub.get_message(timeout=0.0)
    return frozenset(ids)
