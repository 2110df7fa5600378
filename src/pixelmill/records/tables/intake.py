"""What arrives, before a batch has it: requests, uploads and their tickets, backfills."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint

from pixelmill.records.tables.columns import Id, Timestamp, metadata

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
