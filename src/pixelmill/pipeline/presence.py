"""A process shows that it lives, and what it holds.

While its beat moves, what it holds is its own. If it was taken for dead (it was frozen, or the database was away), it
goes on under a new id, and its late writes are refused one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uuid_utils

import pixelmill
from pixelmill import memory
from pixelmill.errors import PixelmillError
from pixelmill.records import Database, deliveries, giving_back, processes
from pixelmill.settings import Settings

log = structlog.stdlib.get_logger(__name__)

#: Times an image may lose its worker before it is a dead letter: more than the decoders it may kill, since a worker
#: that dies takes every image with it that it holds, guilty or not.
MOST_TAKE_OVERS = 6


def new_id() -> str:
    """A UUIDv7: ids sort by the time they were made."""
    return str(uuid_utils.uuid7())


class Presence:
    """The row of this process in the records. Call :meth:`enter` first, run :meth:`beat`, end with :meth:`leave`."""

    def __init__(self, database: Database, settings: Settings, kind: str) -> None:
        self.id = new_id()
        self.kind = kind
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._database = database
        self._settings = settings
        self._holding: dict[str, tuple[str, float]] = {}
        self.stopping = False

    @contextmanager
    def holding(self, token: str, image_id: str) -> Iterator[None]:
        """An image is in this process's hands for the length of the block."""
        self._holding[token] = image_id, time.monotonic()
        try:
            yield
        finally:
            del self._holding[token]

    async def enter(self, *, again: bool = False) -> None:
        """Become known. What earlier holders of the same slot held is taken back at once: they are dead.

        Not so when we come back ``again`` under a new id: whoever has our slot then started after us, and lives.
        """
        earlier = await processes.register(
            self._database,
            self.id,
            kind=self.kind,
            slot=self._settings.slot,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=pixelmill.__version__,
        )
        for process_id in [] if again else earlier:
            await bury(self._database, process_id)

    async def beat(self) -> None:
        """Beat until canceled: three times in the time after which a still beat is a death."""
        while True:
            if self._settings.beat_file:  # also while the database is away: a restart would not bring it back
                with contextlib.suppress(OSError):
                    self._settings.beat_file.touch()
            try:
                await self._beat()
            except PixelmillError:
                log.warning("no beat: the records are out of reach")
            except Exception:
                log.exception("no beat")
            memory.trim()  # here, for a thread would have to be free first, and a beat waits for nobody
            await asyncio.sleep(self._settings.lease_seconds / 3)

    async def _beat(self) -> None:
        doing = [
            {"jobId": image_id, "seconds": round(time.monotonic() - since, 1)}
            for image_id, since in self._holding.values()
        ]
        # Read before the beat: a try begun later than this is not a stray.
        held = {token: image_id for token, (image_id, _) in self._holding.items()}
        told = {"images": doing, "memory": memory.held(), "stopping": self.stopping}
        if not await processes.beat(self._database, self.id, told):
            log.warning("this process was taken for dead; it goes on under a new id")
            self.id = new_id()
            await self.enter(again=True)
        elif self.kind == "worker":
            # What the record says we hold and we do not: the answer to our claim, or the end of our try, was lost.
            for token in await giving_back.strays(self._database, self.id, held):
                if token not in self._holding:
                    await giving_back.release(self._database, token)

    async def leave(self) -> None:
        """Hold nothing any more."""
        with contextlib.suppress(PixelmillError):
            await bury(self._database, self.id)


async def bury(database: Database, process_id: str) -> None:
    """Take back all that a dead process held, and forget it. Its open requests are the sweep's from then on."""
    while await giving_back.take_back(database, process_id, most=MOST_TAKE_OVERS):
        pass
    await deliveries.take_back(database, process_id)
    await processes.forget(database, process_id)
