"""Rows for tests: one upload, or a record with as many as wanted, made by the database itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from pixelmill.records import Database
from pixelmill.records.models import Upload
from pixelmill.records.tables import EPOCH, now

#: Images of one batch, and how many there are to one that failed, to one that waits, to one batch that runs.
IN_BATCH, RARE = 10, 7
#: A tenant among others with a third of all: its batches are few and old, behind all those of the others.
SMALL = "small"
LATER = timedelta(hours=1)

_BATCHES = """
insert into batches (id, owner, status, total, completed, failed, active, canceled, recipe, metadata, priority, seq,
    created_at, finished_at, originals_gone, results_gone, deleting)
with recursive n(i) as (select {low} union all select i + 1 from n where i < {high})
select {id}, case when i < 3 then 'small' else 'tenant-' || i % 3 end,
    case when i % {rare} = 0 then 'processing' else 'completed' end,
    {each}, {each}, 0, 0, 0, '{{"variants": []}}', '{{}}', 0, 3, {start} + i, {start} + i, false, false, false from n
"""
_IMAGES = """
insert into images (id, batch_id, owner, position, original_name, "key", state, admitted, priority, generation, tries,
    crashes, take_overs, bytes, sha256, format, width, height, facts, timings, error_code, created_at, finished_at)
with recursive n(i) as (select {low} union all select i + 1 from n where i < {high})
select {id}, {batch}, case when i < 3 * {each} then 'small' else 'tenant-' || i / {each} % 3 end, i % {each},
    'photo-' || i || '.jpg', 'originals/' || i,
    case when i % {rare} = 0 then 'failed' when i % {rare} = 1 then 'waiting' else 'completed' end,
    true, 0, 1, 1, 0, 0, 2000000, 'abc', 'jpeg', 4000, 3000, '{{}}', '{{}}',
    case when i % {rare} = 0 then 'corrupt-image' end, {start} + i,
    case when i % {rare} <> 1 then {start} + i end from n
"""
_VARIANTS = """
insert into variants (image_id, name, position, state, progress, "key", format, width, height, bytes, facts)
select id, 'default', 0, state, 100, 'processed/' || id, 'jpeg', 512, 384, 40000, '{}' from images
"""
_EVENTS = """
insert into events (batch_id, seq, event, at, job_id, data)
select batch_id, position + 1, 'image.completed', created_at, id, '{}' from images
"""


def batch_id(number: int) -> str:
    return f"0197a1c2-0000-7000-8000-{number:012x}"


def image_id(number: int) -> str:
    return f"0197a1c3-0000-7000-8000-{number:012x}"


async def fill(db: Database, images: int) -> datetime:
    """Fill an empty, migrated SQLite or PostgreSQL with so many images, one variant and one event each.

    Returns when the newest image was accepted; each is a microsecond older than the next.
    """
    start = now() - timedelta(days=1)
    at = (start - EPOCH) // timedelta(microseconds=1)

    def identity(first: str, number: str) -> str:
        digits = f"printf('%012x', {number})" if db.is_sqlite else f"lpad(to_hex({number}), 12, '0')"
        return f"'{first}-0000-7000-8000-' || {digits}"

    words = {"each": IN_BATCH, "rare": RARE, "start": at, "low": 0}
    last = -(-images // IN_BATCH) - 1
    batches = _BATCHES.format(**words, high=last, id=identity("0197a1c2", "i"))
    rows = _IMAGES.format(
        **words, high=images - 1, id=identity("0197a1c3", "i"), batch=identity("0197a1c2", f"i / {IN_BATCH}")
    )
    async with db.write() as tx:
        for statement in (batches, rows, _VARIANTS, _EVENTS):
            await tx.execute(text(statement.replace(":", "\\:")))
    async with db.write() as tx:
        await tx.execute(text("analyze"))
    return start + timedelta(microseconds=images)


def an_upload(upload_id: str = "u1", **changes: Any) -> Upload:
    one = Upload(
        id=upload_id,
        owner="acme",
        kind="tus",
        ticket_id=None,
        position=0,
        state="open",
        original_name="a.jpg",
        key="",
        length=10,
        offset=0,
        sha256=None,
        format=None,
        metadata={"pieces": []},
        token=None,
        process_id=None,
        batch_id=None,
        expires_at=now() + LATER,
        created_at=now(),
    )
    return replace(one, **changes)
