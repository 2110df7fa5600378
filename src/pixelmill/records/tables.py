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
    text,
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

#: What an operator has switched on: a row each, as long as it is on.
switches = Table(
    "switches",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("since", Timestamp, nullable=False),
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
    # Its last images, so many, that the queue is not told of yet (see admission).
    Column("held", Integer, nullable=False, server_default=text("0"), default=0),
    # What a worker must understand to work on it: an older one, in a rolling upgrade, leaves it alone.
    Column("needs", Integer, nullable=False, server_default=text("1"), default=1),
    Column("seq", BigInteger, nullable=False, default=0),
    Column("created_at", Timestamp, nullable=False),
    Column("finished_at", Timestamp),
    # Retention: seconds to keep (null: for ever), and from that, set when the batch ends, until when. A part that is
    # ``gone`` may still have bytes while its ``until`` stands: that is cleared when the last one is deleted.
    Column("keep_originals", Float),
    Column("keep_results", Float),
    Column("originals_until", Timestamp),
    Column("results_until", Timestamp),
    Column("originals_gone", Boolean, nullable=False, server_default=false(), default=False),
    Column("results_gone", Boolean, nullable=False, server_default=false(), default=False),
    Column("deleting", Boolean, nullable=False, server_default=false(), default=False),
    Index(None, "owner", "id"),
    Index(None, "owner", "status", "id"),
    Index(None, "status", "id"),
    Index(None, "originals_until"),
    Index(None, "results_until"),
    Index(None, "deleting", "id"),
    Index(None, "held"),
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
    # Where a worker is to fetch the original from, when it did not come with the request: {"url": …}.
    Column("source", JSON),
    Column("state", String(16), nullable=False),
    Column("admitted", Boolean, nullable=False, server_default=false(), default=False),
    # The queue's, made of the batch's (see fairness).
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
    # A dead letter that was purged: its batch counts it as failed, no list shows it any more.
    Column("purged", Boolean, nullable=False, server_default=false(), default=False),
    Column("created_at", Timestamp, nullable=False),
    Column("started_at", Timestamp),
    Column("finished_at", Timestamp),
    UniqueConstraint("batch_id", "position"),
    # The reconciler and the monitor walk a state in the order of ids; ids sort by time of making (UUIDv7).
    Index(None, "state", "admitted", "id"),
    Index(None, "process_id"),
    # The monitor's lists: a page of them costs the same however many rows there are.
    Index(None, "owner", "id"),
    Index(None, "owner", "state", "purged", "id"),
    Index(None, "state", "purged", "id"),
    Index(None, "state", "error_code", "purged", "id"),
    Index(None, "state", "finished_at"),
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
    # What it was made of and by (see :mod:`pixelmill.records.known`), while others may use its bytes too.
    Column("digest", String(40)),
    Index(None, "digest"),
)

#: Variants whose bytes were made for another image. ``home`` and ``home_image``: the batch and image they were made
#: for, under whose prefix they lie; those may be gone.
borrowed = Table(
    "borrowed",
    metadata,
    Column("image_id", Id, ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("batch_id", Id, nullable=False),
    Column("key", String(512), nullable=False),
    Column("home", Id, nullable=False),
    Column("home_image", Id, nullable=False),
    Index(None, "batch_id"),
    Index(None, "home"),
    Index(None, "home_image"),
    Index(None, "key"),
)

#: Keys that somebody ceased to borrow: their bytes are deleted once nobody uses them.
loose = Table(
    "loose",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("key", String(512), nullable=False),
    Column("home_image", Id, nullable=False),
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
    # An id is never given again, also when the newest rows are deleted: a reader of the whole log goes on from one.
    sqlite_autoincrement=True,
)

#: API keys. ``hash`` is SHA-256 of the whole key, which is random enough that nothing slower is needed.
keys = Table(
    "keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    # Quotas of this key; what is not named here is as set for all: {"requestsPerMinute": …, "bytesPerDay": …}.
    Column("limits", JSON, nullable=False, default=dict),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp),
    Column("revoked_at", Timestamp),
    Column("last_used_at", Timestamp),
    UniqueConstraint("hash"),
    Index(None, "owner"),
)

#: What was answered to an Idempotency-Key. While ``status`` is null the first request still runs, in ``process_id``.
idempotency = Table(
    "idempotency",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("process_id", Id, nullable=False),
    Column("fingerprint", String(64)),
    Column("status", Integer),
    Column("headers", JSON),
    Column("body", JSON),
    Column("created_at", Timestamp, nullable=False),
    Index(None, "created_at"),
)

#: Permissions to upload directly; each is good for ``count`` files until it expires.
tickets = Table(
    "tickets",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("max_bytes", BigInteger, nullable=False),
    Column("types", JSON, nullable=False),
    Column("count", Integer, nullable=False),
    Column("expires_at", Timestamp, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Index(None, "expires_at"),
)

#: Files that arrive on their own (by ticket or tus) before a batch takes them.
#: ``state``: open, finished, taken (by ``batch_id``) or deleting.
uploads = Table(
    "uploads",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("ticket_id", Id),
    Column("position", Integer, nullable=False, default=0),
    Column("state", String(16), nullable=False),
    Column("original_name", String(512), nullable=False),
    Column("key", String(512), nullable=False),
    Column("length", BigInteger),
    Column("offset", BigInteger, nullable=False, default=0),
    Column("sha256", String(64)),
    Column("format", String(16)),
    Column("metadata", JSON, nullable=False, default=dict),
    Column("token", Id),
    Column("process_id", Id),
    Column("batch_id", Id),
    Column("expires_at", Timestamp, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    UniqueConstraint("ticket_id", "position"),
    Index(None, "batch_id"),
    Index(None, "expires_at"),
    Index(None, "owner", "id"),
)

#: What the service signs with, made once and shared by every process: {"secret", "until"} each, newest first.
secrets = Table(
    "secrets",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("value", JSON, nullable=False),
    Column("created_at", Timestamp, nullable=False),
)

#: Webhook endpoints. ``secrets``, as above, all sign until their time is over: one can be changed without a gap.
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("secrets", JSON, nullable=False),
    Column("events", JSON, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("disabled_at", Timestamp),
    Column("disabled_reason", Text),
    Index(None, "owner"),
)

#: One message to one endpoint (or to a batch's own ``callback_url``). ``state``: due, sending, delivered or failed.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("webhook_id", Id, ForeignKey("webhooks.id", ondelete="CASCADE")),
    Column("batch_id", Id, nullable=False),
    Column("url", Text, nullable=False),
    Column("event", String(32), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("tries", Integer, nullable=False, default=0),
    Column("due_at", Timestamp, nullable=False),
    Column("process_id", Id),
    # Each try: {"at", "status", "error", "seconds"}.
    Column("log", JSON, nullable=False, default=list),
    Column("created_at", Timestamp, nullable=False),
    Column("delivered_at", Timestamp),
    Index(None, "state", "due_at"),
    Index(None, "webhook_id", "id"),
    Index(None, "batch_id"),
)

#: Backfills, by what they make of what: everything up to the key ``cursor`` was taken in.
backfills = Table(
    "backfills",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("source", Text, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("images", BigInteger, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
)

#: Links that let anyone who has one see a batch until it expires. ``hash`` as for keys.
shares = Table(
    "shares",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("batch_id", Id, ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp, nullable=False),
    UniqueConstraint("hash"),
    Index(None, "batch_id"),
)

#: Who did what that changes things for others: a line for each act of an administrator.
audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Timestamp, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("key_id", Id),
    Column("action", String(64), nullable=False),
    Column("target", String(255)),
    Column("data", JSON, nullable=False, default=dict),
)

#: How the service was over time: one line for each interval of the sampler, for the monitor's plots.
#: ``latency_*``: seconds from acceptance to the end of an image; ``oldest``: seconds the oldest waiting one waits.
samples = Table(
    "samples",
    metadata,
    Column("at", Timestamp, primary_key=True, autoincrement=False),
    Column("seconds", Float, nullable=False),
    Column("completed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("waiting", Integer, nullable=False),
    Column("active", Integer, nullable=False),
    Column("oldest", Float),
    Column("latency_p50", Float),
    Column("latency_p95", Float),
)
