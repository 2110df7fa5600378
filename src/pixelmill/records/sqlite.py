"""SQLite without a thread to cross at every step. Why not aiosqlite: docs/decisions/0009-what-an-image-costs.md.

Statements that touch few rows by key take microseconds: they run where they are called, on the event loop, so that the
one write lock is held only as long as somebody works under it. What may take long (every other statement) runs in a
thread, and so does the sync that makes a commit last, when the lock is free again (``records/wal.py``).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.engine import URL

from pixelmill.records.compiled import Known
from pixelmill.records.transaction import Transaction
from pixelmill.records.wal import Wal

T = TypeVar("T")

#: Seconds between two looks at a lock that another process holds: about what a commit takes.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.01
#: Rows given to one statement that are still few.
_FEW = 64


class Sqlite:
    """Connections to one file: ``size`` of them, opened when they are needed, each used by one task at a time.

    ``write``: their transactions take the write lock at their start, so that none fails half-way for want of it.
    ``seconds``: the longest wait for a lock or for a connection.
    """

    def __init__(self, url: URL, *, size: int, write: bool, seconds: float) -> None:
        self._path = str(url.database)
        self._write = write
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(size, "sqlite")
        self.engine: Engine = create_engine(
            url.set(drivername="sqlite+pysqlite"), poolclass=NullPool, creator=self._opened
        )
        self._known = Known()
        self._idle: list[Connection] = []
        self._room = asyncio.Semaphore(size)
        self._wal = Wal(self._path, self._room)

    @asynccontextmanager
    async def begin(self, *, few: bool, lasting: bool = True) -> AsyncIterator[Transaction]:
        """A transaction that commits at the end of the block, or leaves nothing.

        ``lasting``: and then waits until what it changed, and what it saw, would survive a power cut.

        Raises sqlite3.OperationalError when a lock is not given in time, TimeoutError when no connection gets free.
        """
        async with self._connection() as connection:
            raw = _driver(connection)
            changes = raw.total_changes
            await self._start(raw)
            try:
                yield _Transaction(connection, self._threads, self._known if few else None)
                if few or not self._write:
                    raw.commit()
                else:
                    await _to_the_end(self._threads, raw.commit)
            finally:
                if raw.in_transaction:
                    await _to_the_end(self._threads, raw.rollback)
                if connection.in_transaction():
                    connection.rollback()  # for SQLAlchemy's own view of it: the driver has no transaction any more
            changed = raw.total_changes != changes
        if changed:
            self._wal.committed()
        if lasting and self._write:
            await self._wal.lasts()

    async def lasts(self) -> None:
        """Wait until all that was committed would survive a power cut. Raises OSError when it would not."""
        await self._wal.lasts()

    async def close(self) -> None:
        await self._wal.close()
        for connection in self._idle:
            connection.close()
        self._idle.clear()
        self._threads.shutdown()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        if self._room.locked():
            async with asyncio.timeout(self._seconds):
                await self._room.acquire()
        else:
            await self._room.acquire()
        try:
            connection = self._idle.pop() if self._idle else await _to_the_end(self._threads, self.engine.connect)
            try:
                yield connection
            finally:
                self._idle.append(connection)
        finally:
            self._room.release()

    async def _start(self, raw: sqlite3.Connection) -> None:
        """SQLite's own wait for the lock would stop the event loop, and is unfair beside."""
        end, pause = time.monotonic() + self._seconds, _FIRST_PAUSE
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE" if self._write else "BEGIN")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.5)

    def _opened(self) -> sqlite3.Connection:
        made = sqlite3.connect(self._path, self._seconds, isolation_level=None, check_same_thread=False, factory=_Raw)
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("PRAGMA synchronous=NORMAL")
        made.execute("PRAGMA wal_autocheckpoint=0")
        made.execute("PRAGMA foreign_keys=ON")
        if self._write:  # what may wait is BEGIN alone, which does so above
            made.execute("PRAGMA busy_timeout=0")
        else:  # several, each with 2 MB of pages, would be most of what this process grows by
            made.execute("PRAGMA cache_size=-512")
        return made


class _Transaction:
    """The part of an AsyncConnection that records use. ``few``: the statements that are run at once."""

    def __init__(self, connection: Connection, threads: ThreadPoolExecutor, few: Known | None) -> None:
        self._connection = connection
        self._threads = threads
        self._few = few

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        if self._few is not None and not (isinstance(parameters, Sequence) and len(parameters) > _FEW):
            if compiled := self._few.compiled(self._connection, statement, parameters):
                return compiled.run(_driver(self._connection), parameters)
            return self._connection.execute(statement, parameters)
        return await _to_the_end(self._threads, partial(self._connection.execute, statement, parameters))

    async def scalar(self, statement: Any, parameters: Any = None) -> Any:
        return (await self.execute(statement, parameters)).scalar()

    async def scalars(self, statement: Any, parameters: Any = None) -> Any:
        return (await self.execute(statement, parameters)).scalars()

    async def rollback(self) -> None:
        await _to_the_end(self._threads, self._connection.connection.rollback)

    async def run_sync(self, work: Callable[[Connection], T]) -> T:
        return await _to_the_end(self._threads, partial(work, self._connection))


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)


class _Raw(sqlite3.Connection):
    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or _Cursor)


class _Cursor(sqlite3.Cursor):
    """Fetches as it executes, in the same thread."""

    _rows: deque[Any]

    def execute(self, sql: str, parameters: Any = ()) -> _Cursor:
        super().execute(sql, parameters)
        self._rows = deque(super().fetchall() if self.description else ())
        return self

    def fetchone(self) -> Any:
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        return [self._rows.popleft() for _ in range(min(size or self.arraysize, len(self._rows)))]

    def fetchall(self) -> list[Any]:
        found, self._rows = list(self._rows), deque()
        return found


async def _to_the_end(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """Done in a thread, to its end: also when who waits for it is canceled, for nobody may use a connection before."""
    working = asyncio.get_running_loop().run_in_executor(threads, work)
    canceled: asyncio.CancelledError | None = None
    while not working.done():
        try:
            await asyncio.wait({working})
        except asyncio.CancelledError as error:
            canceled = error
    if canceled is not None:
        working.exception()  # looked at, for nobody else will
        raise canceled
    return working.result()
