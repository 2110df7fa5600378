"""The tables. Times are whole microseconds since the epoch (UTC), the same on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.dialects.mysql import LONGTEXT

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    return datetime.now(UTC)


class Timestamp(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since the epoch: sorts, indexes and compares alike everywhere."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        return None if value is None else (value - EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        return None if value is None else EPOCH + timedelta(microseconds=value)


Id = String(36)
Long = Text().with_variant(LONGTEXT(), "mysql", "mariadb")
#: SQLite gives row ids only to INTEGER.
Serial = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Processes that beat: an API process holds intents, a worker holds images. One whose beat stands still is dead.
processes = Table(
    "processes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("slot", String(128)),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", String(32), nullable=False),
    Column("beat", BigInteger, nullable=False, default=0),
    Column("started_at", Timestamp, nullable=False),
    Column("doing", JSON, nullable=False, default=dict),
    Index(None, "slot"),
)

#: Roles of which there is one holder; it keeps the role while its beat moves.
roles = Table(
    "roles",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", Id, nullable=False),
    Column("beat", BigInteger, nullable=False),
)

#: A request whose bytes are arriving. Written before the first byte, so that bytes of a dead request are known.
intents = Table(
    "intents",
    metadata,
    Column("batch_id", Id, primary_key=True),
    Column("process_id", Id, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Index(None, "process_id"),
    Index(None, "state"),
)

batches = Table(
    "batches",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner", String(64), nullable=False, default=""),
    Column("status", String(24), nullable=False),
    Column("total", Integer, nullable=False),
    Column("completed", Integer, nullable=False, default=0),
    Column("failed", Integer, nullable=False, default=0),
    Column("active", Integer, nullable=False, default=0),
    Column("canceled", Integer, nullable=False, default=0),
    Column("preset", String(64)),
    Column("recipe", JSON, nullable=False),
    Column("metadata", JSON, nullable=False, default=dict),
    Column("callback_url", Text),
    Column("priority", Integer, nullable=False, default=0),
    Column("seq", BigInteger, nullable=False, default=0),
    Column("created_at", Timestamp, nullable=False),
    Column("finished_at", Timestamp),
    Index(None, "owner", "id"),
    Index(None, "status", "id"),
)

images = Table(
    "images",
    metadata,
    Column("id", Id, primary_key=True),
    Column("batch_id", Id, ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("owner", String(64), nullable=False, default=""),
    Column("position", Integer, nullable=False),
    Column("original_name", String(512), nullable=False),
    Column("key", String(512)),
    Column("state", String(16), nullable=False),
    Column("admitted", Boolean, nullable=False, server_default=false(), default=False),
    Column("priority", Integer, nullable=False, default=0),
    Column("generation", Integer, nullable=False, default=1),
    Column("tries", Integer, nullable=False, default=0),
    Column("crashes", Integer, nullable=False, default=0),
    Column("take_overs", Integer, nullable=False, default=0),
    Column("token", Id),
    Column("process_id", Id),
    Column("not_before", Timestamp),
    Column("bytes", BigInteger, nullable=False, default=0),
    Column("sha256", String(64)),
    Column("format", String(16)),
    Column("width", Integer),
    Column("height", Integer),
    Column("facts", JSON, nullable=False, default=dict),
    Column("timings", JSON, nullable=False, default=dict),
    Column("error_code", String(64)),
    Column("failed_reason", Text),
    Column("created_at", Timestamp, nullable=False),
    Column("started_at", Timestamp),
    Column("finished_at", Timestamp),
    UniqueConstraint("batch_id", "position"),
    # The reconciler and the monitor walk a state in the order of ids; ids sort by time of making (UUIDv7).
    Index(None, "state", "admitted", "id"),
    Index(None, "process_id"),
    Index(None, "owner", "state"),
)

variants = Table(
    "variants",
    metadata,
    Column("image_id", Id, ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("progress", Integer, nullable=False, default=0),
    Column("key", String(512)),
    Column("format", String(16)),
    Column("content_type", String(64)),
    Column("width", Integer),
    Column("height", Integer),
    Column("bytes", BigInteger),
    Column("quality", Float),
    Column("seconds", Float),
    Column("error_code", String(64)),
    Column("error", Text),
    Column("facts", JSON, nullable=False, default=dict),
)

#: One row a try, written with the claim: the prefix that the try writes under is known before its first byte.
attempts = Table(
    "attempts",
    metadata,
    Column("token", Id, primary_key=True),
    Column("image_id", Id, ForeignKey("images.id", ondelete="CASCADE"), nullable=False),
    Column("batch_id", Id, nullable=False),
    Column("number", Integer, nullable=False),
    Column("process_id", Id, nullable=False),
    Column("worker", String(255), nullable=False),
    Column("started_at", Timestamp, nullable=False),
    Column("ended_at", Timestamp),
    Column("outcome", String(16)),
    Column("error_code", String(64)),
    Column("reason", Text),
    Column("traceback", Long),
    Column("swept", Boolean, nullable=False, server_default=false(), default=False),
    Index(None, "image_id"),
    Index(None, "swept", "ended_at"),
)

events = Table(
    "events",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("batch_id", Id, ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("event", String(32), nullable=False),
    Column("at", Timestamp, nullable=False),
    Column("job_id", Id),
    Column("variant", String(64)),
    Column("data", JSON, nullable=False, default=dict),
    UniqueConstraint("batch_id", "seq"),
)
