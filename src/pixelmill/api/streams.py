"""Live events: one hub a process reads the log once for each batch that somebody watches, and wakes its listeners.

Doorbells say which batches have news; the news itself is read from the event log, so a lost doorbell delays an event
and never loses one. A batch that is watched has a :class:`Tail`: its newest events, already encoded, bounded. A
listener that is behind the tail reads pages of its own from the log, so a slow one costs nobody else anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from pixelmill.api import schemas
from pixelmill.api.whole_log import Told, WholeLog
from pixelmill.records import batches, events
from pixelmill.records.models import Event

if TYPE_CHECKING:
    from pixelmill.records.database import Database
    from pixelmill.records.events import Place

log = structlog.stdlib.get_logger(__name__)

#: Events that a tail keeps for its listeners, and that one page of the log has.
PAGE = 200
#: Seconds between two comments on an idle stream: proxies cut connections that are silent for a minute or less.
HEARTBEAT = 15
#: Seconds that doorbells are heard on when the last listener is gone: the next one mostly comes soon.
LINGER = 5.0


@dataclass(frozen=True, slots=True)
class Line:
    """One event, encoded: ``seq`` is its id, ``json`` its JSON."""

    seq: int
    json: str


def encode(event: Event) -> Line:
    return Line(event.seq, json.dumps(schemas.event(event), ensure_ascii=False, separators=(",", ":")))


class Tail:
    """The newest events of one watched batch."""

    def __init__(self, database: Database, batch_id: str) -> None:
        self.listeners = 0
        self.news = asyncio.Event()
        self._database = database
        self._batch_id = batch_id
        self._lines: deque[Line] = deque(maxlen=PAGE)
        self._reading = asyncio.Lock()
        self._rung = 0
        self._answered = -1
        #: The last event read, and the last one of all once the batch is over.
        self._seq = -1
        self._over: int | None = None

    def ring(self) -> None:
        """There may be news: all who wait for ``news`` look again."""
        self._rung += 1
        news, self.news = self.news, asyncio.Event()
        news.set()

    async def after(self, seq: int) -> list[Line]:
        """The next events after ``seq``, at most a page; [] when there is none yet.

        Take ``news`` before calling, and wait for it when there was none.
        """
        async with self._reading:
            # One read serves everybody who was woken by the same ring.
            if self._answered < self._rung:
                await self._read()
        if seq >= self._seq:
            return []
        if self._lines and self._lines[0].seq <= seq + 1:
            return [line for line in self._lines if line.seq > seq]
        return [encode(event) for event in await events.after(self._database, self._batch_id, seq, PAGE)]

    def ended(self, seq: int) -> bool:
        """Whether the batch is over and ``seq`` is its last event."""
        return self._over is not None and seq >= self._over

    async def _read(self) -> None:
        rung = self._rung
        first = self._seq < 0
        found = [] if first else await events.after(self._database, self._batch_id, self._seq, PAGE)
        if found:
            self._lines.extend(map(encode, found))
            self._seq = found[-1].seq
        # Nothing new where somebody rang: its events may have been deleted with it.
        if not found or any(event.event.startswith("batch.") for event in found):
            batch = await batches.find(self._database, self._batch_id)
            if first:
                self._seq = batch.seq if batch else 0
            self._over = self._seq if batch is None else batch.seq if batch.status.over else None
        if len(found) < PAGE and (self._over is None or self._over <= self._seq):
            self._answered = rung


class Hub:
    """All live streams of this process. ``doorbells`` yields ids of batches with news, None for "look at all"."""

    def __init__(
        self, database: Database, doorbells: Callable[[], AsyncGenerator[frozenset[str] | None, None]]
    ) -> None:
        self.closing = False
        #: Every batch's events, for those who watch the whole service.
        self._whole_log = WholeLog(database)
        self._database = database
        self._doorbells = doorbells
        self._tails: dict[str, Tail] = {}
        #: Somebody listens, or did a moment ago: without anybody, each bell would be work for nothing.
        self._wanted = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Hub]:
        """Listen for doorbells while the block runs; then end every stream."""
        tasks = [asyncio.create_task(work()) for work in (self._hear, self._tick, self._whole_log.keep_time)]
        try:
            yield self
        finally:
            self.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        """End every stream now. Servers wait for open responses before they stop: call it before stopping them."""
        self.closing = True
        self._whole_log.close()
        self._ring_all()

    async def listen(self, batch_id: str, seq: int = 0) -> AsyncGenerator[Line | None, None]:
        """The events after ``seq``, each once and in order, until the batch is over; None when a heartbeat is due."""
        tail = self._tails.setdefault(batch_id, Tail(self._database, batch_id))
        tail.listeners += 1
        self._wanted.set()
        clock = asyncio.get_running_loop().time
        quiet_since = clock()
        try:
            while not self.closing:
                news = tail.news
                lines = await tail.after(seq)
                for line in lines:
                    yield line
                    seq = line.seq
                if lines:
                    quiet_since = clock()
                    continue
                if tail.ended(seq):
                    return
                if clock() - quiet_since > HEARTBEAT - 1:
                    quiet_since = clock()
                    yield None
                await news.wait()
        finally:
            tail.listeners -= 1
            if tail.listeners == 0 and self._tails.get(batch_id) is tail:
                del self._tails[batch_id]

    async def listen_to_all(
        self, place: Place | None, owner: str | None, *, samples: bool
    ) -> AsyncGenerator[Told, None]:
        """See :meth:`WholeLog.listen`."""
        self._wanted.set()
        async with contextlib.aclosing(self._whole_log.listen(place, owner, samples=samples)) as told:
            async for one in told:
                yield one

    async def _hear(self) -> None:
        while True:
            await self._wanted.wait()
            try:
                await self._hear_while_wanted()
            except Exception as error:
                log.warning("doorbells stopped", error=repr(error))
                await asyncio.sleep(1)
                self._whole_log.ring()
                self._ring_all()

    async def _hear_while_wanted(self) -> None:
        clock = asyncio.get_running_loop().time
        listened_at = clock()
        async with contextlib.aclosing(self._doorbells()) as doorbells:
            async for rung in doorbells:
                if self._tails or self._whole_log.listeners:
                    listened_at = clock()
                elif clock() - listened_at > LINGER:
                    # Whoever comes from now on sets it again, and is rung for when the bells are heard again.
                    self._wanted.clear()
                    return
                self._whole_log.ring()
                if rung is None:
                    self._ring_all()
                else:
                    for batch_id in rung & self._tails.keys():
                        self._tails[batch_id].ring()

    async def _tick(self) -> None:
        """Ring every watched batch once in HEARTBEAT seconds, some each second: heartbeats, and lost doorbells."""
        for second in itertools.count():
            await asyncio.sleep(1)
            for batch_id, tail in [*self._tails.items()]:
                if hash(batch_id) % HEARTBEAT == second % HEARTBEAT:
                    tail.ring()

    def _ring_all(self) -> None:
        for tail in [*self._tails.values()]:
            tail.ring()
