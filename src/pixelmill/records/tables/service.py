"""The service itself: its processes, their roles, its switches and how it did over time."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, String, Table

from pixelmill.records.tables.columns import Id, Timestamp, metadata

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
