"""What a worker does to the record: claim an image, record what is made, end the try.

Every change locks the batch row first, then looks at the image; so two last images cannot each think that the other
still runs, and no two changes wait for each other. A write carries the token of its claim and is refused
(:class:`Fenced`) once the image has been taken back, canceled or replayed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pixelmill.records import batches as batch_records
from pixelmill.records import deliveries, known
from pixelmill.records.database import Database
from pixelmill.records.events import News, log
from pixelmill.records.images import to_variant
from pixelmill.records.known import Known
from pixelmill.records.models import Batch, BatchStatus, Counts, State, Variant
from pixelmill.records.retention import Until
from pixelmill.records.tables import attempts, images, now, variants

#: What a worker of this version understands. To be raised with every recipe, step or output that older ones would
#: make wrongly or refuse: a batch says what it needs, so that in a rolling upgrade they leave it to newer ones.
UNDERSTANDS = 1


class Refusal(Enum):
    """Why an image cannot be claimed."""

    GONE = "there is nothing left to do: it is over, or a newer generation is queued"
    BUSY = "another worker holds it"
    EARLY = "its time has not come"
    NEWER = "it is for workers of a newer version"


class Fenced(Exception):
    """The image is no longer ours: whatever is still being made for it is to be dropped."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An image taken for work. ``missing`` are the variants still to be made; ``crashes`` counts dead decoders.

    ``key`` is None while the original is still to be fetched from its ``source`` (see :func:`fetched`).

    Every try has a generation of its own, so the generation also numbers the tries. ``engine`` makes it (None: made
    before or not, it is made anew); ``digests`` tell the missing variants, and ``known`` are those made before.
    """

    token: str
    image_id: str
    batch_id: str
    generation: int
    priority: int
    key: str | None
    sha256: str | None
    tries: int
    crashes: int
    take_overs: int
    recipe: dict[str, Any]
    missing: tuple[str, ...]
    source: dict[str, Any] | None = None
    engine: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, Known] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MadeVariant:
    """A variant whose bytes are stored under ``key``. With a ``digest``, others may use them too.

    ``reused``: they were made for another image.
    """

    name: str
    key: str
    format: str
    content_type: str
    width: int
    height: int
    bytes: int
    quality: float | None
    seconds: float
    facts: dict[str, Any]
    digest: str | None = None
    reused: bool = False


@dataclass(frozen=True, slots=True)
class LostVariant:
    """A variant that can never be made, while its siblings may be."""

    name: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What the header of the original told."""

    format: str
    width: int
    height: int
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try failed. ``delay`` in seconds: try again then; None: never, the image is a dead letter."""

    code: str
    reason: str
    traceback: str = ""
    delay: float | None = None
    crashed: bool = False


@dataclass(slots=True)
class Report:
    """What is to be recorded in one transaction; the end of the try goes with its last variants."""

    seen: Seen | None = None
    made: list[MadeVariant] = field(default_factory=list)
    lost: list[LostVariant] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)


async def claim(
    db: Database,
    image_id: str,
    generation: int,
    *,
    token: str,
    process_id: str,
    worker: str,
    engine: str | None = None,
    understands: int = UNDERSTANDS,
) -> Claim | Refusal:
    """Take an image for work, if it is waiting, due, of this generation, and asks for nothing that we do not know.

    ``engine``: look for what it made before of the same bytes.
    """
    at = now()
    async with db.write() as tx:
        its = (await tx.execute(select(images.c.batch_id).where(images.c.id == image_id))).one_or_none()
        batch = await batch_records.lock(tx, its.batch_id) if its else None
        if not batch:
            return Refusal.GONE
        row = (await tx.execute(select(images).where(images.c.id == image_id))).one()
        if State(row.state).over or row.generation != generation or not (row.key or row.source):
            return Refusal.GONE
        if row.state == State.ACTIVE:
            return Refusal.BUSY
        if batch.needs > understands:
            return Refusal.NEWER
        if row.not_before and row.not_before > at:
            return Refusal.EARLY
        rows = await tx.execute(select(variants).where(variants.c.image_id == image_id).order_by(variants.c.position))
        missing = tuple(row.name for row in rows if not State(row.state).over)
        wanted = _wanted(engine, batch, row.sha256, missing)
        found = await known.find(tx, wanted)
        await tx.execute(
            update(images)
            .where(images.c.id == image_id)
            .values(
                state=State.ACTIVE,
                token=token,
                process_id=process_id,
                not_before=None,
                admitted=True,
                tries=row.tries + 1,
                started_at=row.started_at or at,
                error_code=None,
                failed_reason=None,
            )
        )
        await tx.execute(
            insert(attempts).values(
                token=token,
                image_id=image_id,
                batch_id=batch.id,
                number=generation,
                process_id=process_id,
                worker=worker,
                started_at=at,
            )
        )
        await log(
            tx,
            batch.id,
            batch.seq,
            [News("image.started", image_id, data={"attempt": generation})],
            status=BatchStatus.PROCESSING,
            active=batch.counts.active + 1,
        )
    return Claim(
        token=token,
        image_id=image_id,
        batch_id=batch.id,
        generation=generation,
        priority=row.priority,
        key=row.key,
        sha256=row.sha256,
        tries=row.tries + 1,
        crashes=row.crashes,
        take_overs=row.take_overs,
        recipe=batch.recipe,
        missing=missing,
        source=row.source,
        engine=engine,
        digests=wanted,
        known=found,
    )


def _wanted(engine: str | None, batch: Batch, sha256: str | None, missing: Collection[str]) -> dict[str, str]:
    if engine is None or sha256 is None:
        return {}
    return known.digests(engine, owner=batch.owner, sha256=sha256, recipe=batch.recipe, names=missing)


async def fetched(db: Database, held: Claim, *, key: str, bytes: int, sha256: str, format: str) -> Claim:
    """Record that the original is in storage now, under ``key``; the claim with what is known of it. Raises Fenced."""
    async with db.write() as tx:
        batch, row = await held_by(tx, held)
        values = {"key": key, "bytes": bytes, "sha256": sha256, "format": format}
        await tx.execute(update(images).where(images.c.id == row.id).values(**values))
        await log(tx, batch.id, batch.seq, [News("image.fetched", row.id, data={"bytes": bytes, "format": format})])
        wanted = _wanted(held.engine, batch, sha256, held.missing)
        found = await known.find(tx, wanted)
    return replace(held, key=key, sha256=sha256, digests=wanted, known=found)


async def record(db: Database, held: Claim, report: Report) -> None:
    """Record variants as they are made. Raises Fenced."""
    async with db.write() as tx:
        batch, row = await held_by(tx, held)
        await log(tx, batch.id, batch.seq, await note(tx, row, report))


async def complete(db: Database, held: Claim, report: Report) -> BatchStatus:
    """Record the last variants and end the image; the batch's status afterwards. Raises Fenced.

    Complete means that every variant is; one that can never be made makes the image failed.
    """
    async with db.write() as tx:
        batch, row = await held_by(tx, held)
        news = await note(tx, row, report)
        rows = await tx.execute(select(variants).where(variants.c.image_id == row.id).order_by(variants.c.position))
        its_variants = [to_variant(one) for one in rows]
        bad = next((one for one in its_variants if one.state is State.FAILED), None)
        if bad:
            state, change = State.FAILED, {"error_code": bad.error_code, "failed_reason": bad.error}
            news.append(failed_news(row.id, bad.error_code, bad.error))
        else:
            state, change = State.COMPLETED, {"error_code": None, "failed_reason": None}
            news.append(News("image.completed", row.id, data=_sums(row, its_variants)))
        await _end_image(tx, row, state, timings=report.timings, **change)
        await _end_attempt(tx, held.token, state, change.get("error_code"), change.get("failed_reason"))
        done = state is State.COMPLETED
        return await settle(tx, batch, news, active=-1, completed=int(done), failed=int(not done))


async def fail(db: Database, held: Claim, failure: Failure, report: Report) -> BatchStatus:
    """End a try that failed: the image waits for its next generation, or is a dead letter. Raises Fenced."""
    async with db.write() as tx:
        batch, row = await held_by(tx, held)
        news = await note(tx, row, report)
        crashes = row.crashes + failure.crashed
        if failure.delay is None:
            await tx.execute(
                update(variants)
                .where(variants.c.image_id == row.id, variants.c.state.in_((State.WAITING, State.ACTIVE)))
                .values(state=State.FAILED, error_code=failure.code, error=failure.reason)
            )
            await _end_image(
                tx,
                row,
                State.FAILED,
                timings=report.timings,
                error_code=failure.code,
                failed_reason=failure.reason,
                crashes=crashes,
            )
            await _end_attempt(tx, held.token, "failed", failure.code, failure.reason, failure.traceback)
            news.append(failed_news(row.id, failure.code, failure.reason))
            return await settle(tx, batch, news, active=-1, failed=1)
        due = now() + timedelta(seconds=failure.delay)
        await _wait_again(tx, row, not_before=due, crashes=crashes)
        await _end_attempt(tx, held.token, "retrying", failure.code, failure.reason, failure.traceback)
        data = {"errorCode": failure.code, "reason": failure.reason, "attempt": held.generation, "delay": failure.delay}
        news.append(News("image.retrying", row.id, data=data))
        return await settle(tx, batch, news, active=-1)


async def hand_back(db: Database, held: Claim) -> int | None:
    """Let another worker have the image; the try does not count. Its new generation, or None: it was not ours."""
    async with db.write() as tx:
        try:
            batch, row = await held_by(tx, held)
        except Fenced:
            return None
        return await _take_back(tx, batch, row, "handed-back")


async def take_back(db: Database, process_id: str, *, most: int, limit: int = 100) -> int:
    """Take up to ``limit`` images from a dead process, to wait again; how many it held.

    An image that lost its worker more than ``most`` times is a dead letter instead.
    """
    query = (
        select(images.c.id, images.c.batch_id)
        .where(images.c.process_id == process_id, images.c.state == State.ACTIVE)
        .order_by(images.c.id)
        .limit(limit)
    )
    async with db.read() as connection:
        held = (await connection.execute(query)).all()
    for image_id, batch_id in held:
        async with db.write() as tx:
            batch = await batch_records.lock(tx, batch_id)
            row = (await tx.execute(select(images).where(images.c.id == image_id))).one_or_none()
            if not batch or not row or row.state != State.ACTIVE or row.process_id != process_id:
                continue
            if row.take_overs >= most:
                await _abandon(tx, batch, row)
            else:
                await _take_back(tx, batch, row, "lost")
    return len(held)


async def strays(db: Database, process_id: str, held: Collection[str]) -> list[str]:
    """Tokens of tries that the record gives to a process and that are not among ``held``."""
    query = select(images.c.token).where(images.c.process_id == process_id, images.c.state == State.ACTIVE)
    async with db.read() as connection:
        return [row.token for row in await connection.execute(query) if row.token not in held]


async def release(db: Database, token: str) -> None:
    """Let the image go that a try holds, if it still does; the reconciler queues it again."""
    async with db.write() as tx:
        query = select(attempts.c.image_id, attempts.c.batch_id).where(attempts.c.token == token)
        its = (await tx.execute(query)).one_or_none()
        batch = await batch_records.lock(tx, its.batch_id) if its else None
        if batch and its:
            row = (await tx.execute(select(images).where(images.c.id == its.image_id))).one()
            if row.token == token and row.state == State.ACTIVE:
                await _take_back(tx, batch, row, "lost")


async def held_by(tx: AsyncConnection, held: Claim) -> tuple[Batch, Row[Any]]:
    """The batch, locked, and the row of the image that is held. Raises Fenced."""
    batch = await batch_records.lock(tx, held.batch_id)
    row = (await tx.execute(select(images).where(images.c.id == held.image_id))).one_or_none()
    if not batch or not row or row.token != held.token or row.state != State.ACTIVE:
        raise Fenced(held.image_id)
    return batch, row


async def note(tx: AsyncConnection, row: Row[Any], report: Report) -> list[News]:
    """Write down what was seen, made and lost of an image that is held; what to log of it."""
    if seen := report.seen:
        values = {"format": seen.format, "width": seen.width, "height": seen.height, "facts": seen.facts}
        await tx.execute(update(images).where(images.c.id == row.id).values(**values))
    news = []
    for made in report.made:
        await tx.execute(
            update(variants)
            .where(variants.c.image_id == row.id, variants.c.name == made.name)
            .values(
                state=State.COMPLETED,
                progress=100,
                key=made.key,
                format=made.format,
                content_type=made.content_type,
                width=made.width,
                height=made.height,
                bytes=made.bytes,
                quality=made.quality,
                seconds=made.seconds,
                facts=made.facts,
                digest=made.digest,
                error_code=None,
                error=None,
            )
        )
        data = {
            "format": made.format,
            "width": made.width,
            "height": made.height,
            "bytes": made.bytes,
            "quality": made.quality,
            "originalBytes": row.bytes,
        }
        if made.reused:
            data["reused"] = True
        news.append(News("variant.completed", row.id, made.name, data))
    for lost in report.lost:
        await tx.execute(
            update(variants)
            .where(variants.c.image_id == row.id, variants.c.name == lost.name)
            .values(state=State.FAILED, error_code=lost.code, error=lost.reason)
        )
        news.append(News("variant.failed", row.id, lost.name, {"errorCode": lost.code, "reason": lost.reason}))
    return news


async def settle(
    tx: AsyncConnection, batch: Batch, news: list[News], *, cancels: bool = False, **changes: int
) -> BatchStatus:
    """Move the counters by ``changes``, end the batch if nothing of it is left to do, and log. The new status.

    A batch ends canceled when its owner canceled the whole of it (``cancels``) or every single image.
    """
    was = batch.counts
    counts = Counts(
        total=was.total,
        completed=was.completed + changes.get("completed", 0),
        failed=was.failed + changes.get("failed", 0),
        active=was.active + changes.get("active", 0),
        canceled=was.canceled + changes.get("canceled", 0),
    )
    status, finished_at, until = BatchStatus.PROCESSING, None, Until()
    if counts.waiting == 0 and counts.active == 0:
        finished_at = now()
        if cancels or counts.canceled == counts.total:
            status = BatchStatus.CANCELED
        else:
            whole = counts.completed == counts.total
            status = BatchStatus.COMPLETED if whole else BatchStatus.COMPLETED_WITH_ERRORS
        # Two words only, so that a consumer tells the end from the name: how it ended is the status.
        event = "batch.canceled" if status is BatchStatus.CANCELED else "batch.completed"
        sums = {"status": status.value, "completed": counts.completed, "failed": counts.failed}
        news.append(News(event, data=sums | {"canceled": counts.canceled, "total": counts.total}))
        until = Until.after(finished_at, batch.retention)
    await deliveries.note(tx, batch, news, status, counts)
    await log(
        tx,
        batch.id,
        batch.seq,
        news,
        status=status,
        finished_at=finished_at,
        originals_until=until.originals,
        results_until=until.results,
        completed=counts.completed,
        failed=counts.failed,
        active=counts.active,
        canceled=counts.canceled,
    )
    return status


def failed_news(image_id: str, code: str | None, reason: str | None) -> News:
    return News("image.failed", image_id, data={"errorCode": code, "reason": reason})


def _sums(row: Row[Any], its_variants: Sequence[Variant]) -> dict[str, Any]:
    return {
        "variants": len(its_variants),
        "bytes": sum(one.bytes or 0 for one in its_variants),
        "originalBytes": row.bytes,
    }


async def _end_image(tx: AsyncConnection, row: Row[Any], state: State, **values: Any) -> None:
    timings = values.pop("timings", None) or row.timings
    await tx.execute(
        update(images)
        .where(images.c.id == row.id)
        .values(state=state, token=None, process_id=None, finished_at=now(), timings=timings, **values)
    )


async def _end_attempt(
    tx: AsyncConnection, token: str, outcome: str, code: str | None = None, reason: str | None = None, trace: str = ""
) -> None:
    await tx.execute(
        update(attempts)
        .where(attempts.c.token == token)
        .values(ended_at=now(), outcome=outcome, error_code=code, reason=reason, traceback=trace or None)
    )


async def _wait_again(tx: AsyncConnection, row: Row[Any], **values: Any) -> int:
    generation: int = row.generation + 1
    await tx.execute(
        update(images)
        .where(images.c.id == row.id)
        .values(state=State.WAITING, token=None, process_id=None, generation=generation, **values)
    )
    return generation


async def _take_back(tx: AsyncConnection, batch: Batch, row: Row[Any], outcome: str) -> int:
    generation = await _wait_again(tx, row, tries=row.tries - 1, take_overs=row.take_overs + (outcome == "lost"))
    await _end_attempt(tx, row.token, outcome)
    await settle(tx, batch, [News("image.retrying", row.id, data={"reason": f"The try was {outcome}."})], active=-1)
    return generation


async def _abandon(tx: AsyncConnection, batch: Batch, row: Row[Any]) -> None:
    code, reason = "decoder-died", f"Its worker died {row.take_overs + 1} times while working on it."
    await tx.execute(
        update(variants)
        .where(variants.c.image_id == row.id, variants.c.state.in_((State.WAITING, State.ACTIVE)))
        .values(state=State.FAILED, error_code=code, error=reason)
    )
    await _end_attempt(tx, row.token, "lost", code, reason)
    await _end_image(tx, row, State.FAILED, error_code=code, failed_reason=reason)
    await settle(tx, batch, [failed_news(row.id, code, reason)], active=-1, failed=1)
