"""The connection to the database: SQLite in the data folder, PostgreSQL or MySQL by address.

Reads and writes are apart. On SQLite every write takes the one write lock at its start (``BEGIN IMMEDIATE``), so that
no transaction fails half-way for want of it, and writers of one process queue here instead of in SQLite's unfair
busy handler. Elsewhere rows are locked with ``FOR UPDATE``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pixelmill.errors import PixelmillError
from pixelmill.records.sqlite import Sqlite
from pixelmill.records.transaction import Transaction

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "mysql": "mysql+aiomysql",
    "mariadb": "mariadb+aiomysql",
}
#: Seconds a writer waits for SQLite's lock (another process may hold it for a whole batch of rows).
BUSY_SECONDS = 20
#: Connections that read SQLite at the same time, in one process.
_READERS = 4
#: Seconds that PostgreSQL may take for one statement; far more than any of ours needs, migrations included so far.
ANSWER_SECONDS = 60
#: Seconds that a server lets an open transaction lie still before it ends it. A machine that was cut off, or stopped,
#: in the middle of one would hold its row locks for as long as TCP believes in it: hours.
STILL_SECONDS = 15
#: PostgreSQL does not count a transaction as still between the parts of one statement. There it asks the machine
#: itself whether it is there, and (from 17 on) ends what takes longer than any transaction of ours.
_POSTGRES = """
SELECT set_config(name, value, false) FROM pg_settings JOIN (VALUES
    ('idle_in_transaction_session_timeout', '{still}s'), ('transaction_timeout', '{all}s'),
    ('tcp_keepalives_idle', '{still}'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3')
) AS ours (name, value) USING (name)
"""


def async_url(url: str) -> URL:
    """The address with the driver we use, whatever driver it names. Raises ``bad-request`` without repeating it."""
    try:
        parsed = make_url(url)
        backend = parsed.drivername.partition("+")[0]
    except (ArgumentError, ValueError):
        backend = ""
    if backend not in _DRIVERS:
        kinds = ", ".join(_DRIVERS)
        raise PixelmillError("bad-request", f"DATABASE_URL must be kind://user:password@host/name; kinds: {kinds}.")
    return parsed.set(drivername=_DRIVERS[backend])


def sqlite_path(folder: Path) -> Path:
    return folder.absolute() / "pixelmill.db"


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{sqlite_path(folder)}"


class Database:
    """Two pools over one database. Raises PixelmillError ``unavailable`` when the server cannot be reached."""

    def __init__(self, url: str, *, pool: int = 8) -> None:
        self.url = async_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._engine: AsyncEngine | None = None
        if self.is_sqlite:
            self._reader = Sqlite(self.url, size=_READERS, write=False, seconds=BUSY_SECONDS)
            self._writer = Sqlite(self.url, size=1, write=True, seconds=BUSY_SECONDS)
        else:
            self._engine = _server(self.url, pool)

    @asynccontextmanager
    async def write(self, *, few: bool = False, lasting: bool = True) -> AsyncIterator[Transaction]:
        """A transaction that commits at the end of the block, or leaves nothing.

        ``few``: each statement touches few rows, found by key, and nothing but the transaction is awaited in the block.
        Not ``lasting``: it may be lost in a power cut, if none that lasts comes after it. On a server all last.
        """
        begun = self._engine.begin() if self._engine else self._writer.begin(few=few, lasting=lasting)
        async with _reachable(), begun as connection:
            yield connection

    @asynccontextmanager
    async def read(self, *, few: bool = False) -> AsyncIterator[Transaction]:
        """A consistent view for reading; ``few`` as for :meth:`write`."""
        async with _reachable(), self._engine.begin() if self._engine else self._reader.begin(few=few) as connection:
            yield connection

    async def lasts(self) -> None:
        """Wait until what was read would survive a power cut: before it is told to whoever counts on it."""
        if not self._engine:
            async with _reachable():
                await self._writer.lasts()

    async def close(self) -> None:
        if self._engine:
            await self._engine.dispose()
        else:
            await self._reader.close()
            await self._writer.close()


def _server(url: URL, pool: int) -> AsyncEngine:
    """A server that was cut off is given up, and a new connection made: TCP alone would wait for minutes.

    The server does the same with us (`STILL_SECONDS`). MySQL knows no such limit for transactions alone: there it is
    one for every connection, and the pool makes a new one where it was ended.
    """
    from sqlalchemy.ext.asyncio import create_async_engine  # and with it the ORM: not for whoever has SQLite

    postgres = url.get_backend_name() == "postgresql"
    engine = create_async_engine(
        url,
        # What a row lock waited for is seen when it is given.
        isolation_level="READ COMMITTED",
        pool_size=pool,
        max_overflow=pool,
        pool_pre_ping=True,
        pool_timeout=BUSY_SECONDS,
        connect_args={"timeout": BUSY_SECONDS, "command_timeout": ANSWER_SECONDS}
        if postgres
        else {"connect_timeout": BUSY_SECONDS},
    )
    if postgres:
        limits = _POSTGRES.format(still=STILL_SECONDS, all=2 * ANSWER_SECONDS)
    else:
        limit = "idle_transaction_timeout" if url.drivername.startswith("mariadb") else "wait_timeout"
        limits = f"SET SESSION {limit} = {STILL_SECONDS}"

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(limits)
        cursor.close()
        connection.commit()

    return engine


#: What the driver raises by itself where no statement of SQLAlchemy's is run.
_SQLITE = (sqlite3.OperationalError, sqlite3.InterfaceError)
#: How SQLSTATEs of PostgreSQL begin that tell of no fault of ours, though SQLAlchemy has no class for them: the
#: connection failed; room for connections, memory or the disk is full; the server starts or stops.
_AWAY = ("08", "53", "57P0")


@asynccontextmanager
async def _reachable() -> AsyncIterator[None]:
    """A server that cannot be reached, or a lock or a connection not given in time, is `unavailable`; a fault of ours
    is not."""
    try:
        yield
    except (*_SQLITE, OperationalError, InterfaceError, PoolTimeout, OSError, TimeoutError) as error:
        raise PixelmillError("unavailable", "The database did not answer; try again in a moment.") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise PixelmillError("unavailable", "The database closed the connection; try again.") from error
        if str(getattr(error.orig, "sqlstate", "")).startswith(_AWAY):
            raise PixelmillError("unavailable", "The database takes no connection now; try again.") from error
        raise
