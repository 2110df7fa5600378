"""Who may do what, and who did: keys, links, what the service signs with, the audit trail."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, String, Table, UniqueConstraint

from pixelmill.records.tables.columns import Id, Timestamp, metadata

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

#: What the service signs with, made once and shared by every process: {"secret", "until"} each, newest first.
secrets = Table(
    "secrets",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("value", JSON, nullable=False),
    Column("created_at", Timestamp, nullable=False),
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
