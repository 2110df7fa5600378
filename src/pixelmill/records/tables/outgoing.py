"""What is told to others: webhook endpoints and the messages to them."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, Text

from pixelmill.records.tables.columns import Id, Timestamp, metadata

#: Webhook endpoints. ``secrets``, as in the table of that name, all sign until their time is over: no gap in a change.
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
