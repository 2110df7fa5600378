"""A batch and what is in it: its images, their variants, who tried them, and what happened."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    literal,
    text,
)

from pixelmill.records.models import State
from pixelmill.records.tables.columns import Id, Long, Serial, Timestamp, metadata

#: The states of an image, or a variant, that is not over; each by itself, so that a statement with them has one text.
OPEN = (literal(State.WAITING), literal(State.ACTIVE))

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
