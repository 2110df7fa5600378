"""The tables, by what they are about; all of one :data:`metadata`, which is whole once this package is imported."""

from pixelmill.records.tables.access import audit, keys, secrets, shares
from pixelmill.records.tables.columns import EPOCH, metadata, now
from pixelmill.records.tables.intake import backfills, idempotency, intents, tickets, uploads
from pixelmill.records.tables.outgoing import deliveries, webhooks
from pixelmill.records.tables.service import processes, roles, samples, switches
from pixelmill.records.tables.work import OPEN, attempts, batches, borrowed, events, images, loose, variants

__all__ = [
    "EPOCH",
    "OPEN",
    "attempts",
    "audit",
    "backfills",
    "batches",
    "borrowed",
    "deliveries",
    "events",
    "idempotency",
    "images",
    "intents",
    "keys",
    "loose",
    "metadata",
    "now",
    "processes",
    "roles",
    "samples",
    "secrets",
    "shares",
    "switches",
    "tickets",
    "uploads",
    "variants",
    "webhooks",
]
