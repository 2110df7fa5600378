"""The events of every batch, live: what the monitor listens to.

Each listener has a place in the log, which it can come back to later and at another process. All that are at the same
place share one read of it, so watching costs one query a moment, however many watch.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pixelmill.api import schemas
from pixelmill.records import events, monitor
from pixelmill.records.events import Place
from pixelmill.tasks import look_at_error

if TYPE_CHECKING:
    from pixelmill.records.database import Database

#: Events that one read brings.
PAGE = 500
#: Seconds between two reads at least: what comes in between comes together.
PAUSE = 0.2
#: Events that one who comes back is told; who missed more starts at the end, and is told so.
MOST_MISSED = 20_000
#: Seconds after which no transaction can still be running that was given an id: database.ANSWER_SECONDS and more.
SETTLED = 90
#: Seconds between two signs of life, each with the place; and between two looks for a new sample.
HEARTBEAT = 15
SAMPLE = 5


@dataclass(frozen=True, slots=True)
class Told:
    """What a listener is told next: where it is then, and, unless this is only a sign of life, ``data`` as JSON.

    ``kind`` is the name of the Server-Sent Event; None for the events of the log.
    """

    place: Place
    data: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    owner: str
    place: Place
    json: str


class WholeLog:
    """One for each process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closing = False
        self.listeners = 0
        self._news = asyncio.Event()
        self._rung = 0
        self._reads: dict[Place, tuple[int, asyncio.Task[list[_Line]]]] = {}
        self._settled = 0
        #: When the log was seen to end at which id.
        self._ends: deque[tuple[float, int]] = deque()

    def ring(self) -> None:
        """There may be news."""
        self._rung += 1
        news, self._news = self._news, asyncio.Event()
        news.set()

    def close(self) -> None:
        """End every stream now."""
        self._closing = True
        self.ring()

    async def keep_time(self) -> None:
        """Ring each second while somebody listens: for lost doorbells, signs of life and samples."""
        while True:
            await asyncio.sleep(1)
            if self.listeners:
                while self._ends and self._ends[0][0] < time.monotonic() - SETTLED:
                    self._settled = max(self._settled, self._ends.popleft()[1])
                self.ring()

    async def listen(self, place: Place | None, owner: str | None, *, samples: bool) -> AsyncGenerator[Told, None]:
        """What happens to the batches of ``owner`` (None: to all) after ``place``, or from now on.

        With new ``samples`` of how the service is, if they are wanted. Never ends by itself.
        """
        self.listeners += 1
        try:
            newest = await events.newest(self._database)
            if place is not None and newest.last - place.last > MOST_MISSED:
                place = newest
                yield Told(place, json.dumps({"event": "events.skipped"}))
            place = place or newest
            yield Told(place)
            quiet_since = time.monotonic()
            sampled = None
            sample_due = 0.0
            while not self._closing:
                news = self._news
                page = await self._page(place)
                for line in page:
                    place = line.place
                    if owner is None or line.owner == owner:
                        quiet_since = time.monotonic()
                        yield Told(place, line.json)
                if len(page) == PAGE:
                    continue
                place = place.settled(self._settled)
                if samples and time.monotonic() >= sample_due:
                    sample_due = time.monotonic() + SAMPLE
                    found = await monitor.last_sample(self._database)
                    if found is not None and found.at != sampled:
                        if sampled is not None:
                            yield Told(place, schemas.sample(found).model_dump_json(by_alias=True), "sample")
                        sampled = found.at
                if time.monotonic() >= quiet_since + HEARTBEAT:
                    quiet_since = time.monotonic()
                    yield Told(place)
                await asyncio.sleep(PAUSE)
                await news.wait()
        finally:
            self.listeners -= 1

    async def _page(self, place: Place) -> list[_Line]:
        """The next events that a reader at ``place`` has not seen. One read serves all who ask between two rings."""
        known = self._reads.get(place)
        if known is None or known[0] < self._rung:
            self._reads = {at: read for at, read in self._reads.items() if read[0] == self._rung}
            known = self._rung, asyncio.create_task(self._read(place))
            known[1].add_done_callback(look_at_error)
            self._reads[place] = known
        return await asyncio.shield(known[1])

    async def _read(self, place: Place) -> list[_Line]:
        found = await events.beyond(self._database, place, PAGE)
        if found:
            self._ends.append((time.monotonic(), found[-1].place.last))
        return [
            _Line(one.owner, one.place, json.dumps(schemas.event(one.event), ensure_ascii=False, separators=(",", ":")))
            for one in found
        ]
