"""SQLite's log on the disk: commits made to last together, and checkpoints beside the work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import structlog

from pixelmill.disk import Disk
from pixelmill.tasks import look_at_error

log = structlog.stdlib.get_logger(__name__)

#: Commits between two checkpoints of one process; each adds a few pages of 4 kB to the log.
EVERY = 200
#: Pages of the log from which on it is begun anew, 32 MB of them: it never gets much larger.
LARGEST = 8192
#: Seconds that such a beginning may wait for those who read; nobody writes meanwhile.
PATIENCE = 1.0


class Wal:
    """The write-ahead log of the database at ``path``; whoever of this process writes to it holds ``writing``.

    A commit with ``synchronous=NORMAL`` only appends to it. Whoever needs it to survive a power cut waits for
    :meth:`lasts`: one sync does for all who wait, and none of them holds the write lock meanwhile. What a sync covers
    is always a prefix of the log, so that nothing lasts without what it was built on.
    """

    def __init__(self, path: str, writing: asyncio.Semaphore) -> None:
        self._path = path
        self._writing = writing
        self._fd = -1
        self._failed: OSError | None = None
        # If by a thread, then by none of those that store files, of whom all may wait for the disk.
        self._thread = ThreadPoolExecutor(1, "wal")
        self._disk = Disk(self._thread)
        self._next: asyncio.Task[None] | None = None
        self._last: asyncio.Task[None] | None = None
        self._commits = 0
        self._checkpointing: asyncio.Task[None] | None = None

    async def lasts(self) -> None:
        """Wait until all that was committed before this call, by any process, is on the disk.

        Raises OSError when it cannot be, and from then on.
        """
        if self._next is None or self._next.done():  # done: its event loop ended before it began
            self._next = asyncio.create_task(self._sync(self._last))
            self._next.add_done_callback(look_at_error)
        await asyncio.shield(self._next)

    async def _sync(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        self._last, self._next = self._next, None  # who commits from here on needs another one
        await self._sync_now()

    async def _sync_now(self) -> None:
        if self._failed is not None:
            raise OSError(self._failed.errno, "The disk failed before; start again when it is mended.")
        if self._fd < 0:
            # There since the first commit, and as long as a connection is open. SQLite locks other files than this.
            with contextlib.suppress(FileNotFoundError):
                self._fd = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
            if self._fd < 0:
                return
        try:
            await self._disk.fdatasync(self._fd)
        except OSError as error:
            # A kernel tells it once, and takes what it could not write for written. The log may have a hole now, and
            # all that comes after a hole is lost with it.
            self._failed = error
            log.critical("database.disk-failed", error=str(error), advice="Mend the disk and start again.")
            raise

    def committed(self) -> None:
        """Count a commit. Now and then what is in the log goes to its place, beside the work."""
        self._commits += 1
        if self._commits % EVERY == 0 and (self._checkpointing is None or self._checkpointing.done()):
            self._checkpointing = asyncio.create_task(self._checkpoint())

    async def _checkpoint(self) -> None:
        if await asyncio.to_thread(self._checkpoint_now, "PASSIVE") > LARGEST:
            # Nobody waited for that; but where commits never pause, some came meanwhile, and the log goes on for ever.
            # Nearly all is in its place now: the rest takes about as long as one commit.
            async with self._writing:
                await asyncio.to_thread(self._checkpoint_now, "RESTART")

    def _checkpoint_now(self, how: str) -> int:
        """How many pages the log has."""
        # Another process may be at it, or the disk be full: the next one does it then.
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(self._path, PATIENCE)) as connection,
        ):
            connection.execute("PRAGMA synchronous=NORMAL")
            _, pages, _ = connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
            return int(pages)
        return 0

    async def close(self) -> None:
        for task in (self._next, self._last, self._checkpointing):
            if task is not None and not task.done():
                await asyncio.wait({task})
        await self._disk.close()
        self._thread.shutdown()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
