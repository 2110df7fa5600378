"""What a worker does to the record: claim an image, record what is made, end the try.

Every change locks the batch row first, then looks at the image; so two last images cannot each think that the other
still runs, and no two changes wait for each other. A write carries the token of its claim and is refused
(:class:`Fenced`) once the image has been taken back, canceled or replayed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from pixelmill.records import batches as batch_records
from pixelmill.records import known
from pixelmill.records.claims import Claim, Failure, Fenced, MadeVariant, Refusal, Report
from pixelmill.records.database import Database
from pixelmill.records.events import News, log
from pixelmill.records.models import Batch, BatchStatus, State
from pixelmill.records.settling import IMAGE, end_attempt, end_image, failed_news, settle, wait_again
from pixelmill.records.tables import OPEN, attempts, images, now, variants
from pixelmill.records.transaction import Transaction

#: What a worker of this version understands. To be raised with every recipe, step or output that older ones would
#: make wrongly or refuse: a batch says what it needs, so that in a rolling upgrade they leave it to newer ones.
UNDERSTANDS = 1

# Made once: putting a statement together costs more than running it.
_IMAGE = select(images).where(images.c.id == bindparam("its"))
_VARIANTS = (
    select(*variants.c["name", "state", "bytes", "error_code", "error"])
    .where(variants.c.image_id == bindparam("its"))
    .order_by(variants.c.position)
)
_VARIANT = update(variants).where(
    variants.c.image_id == bindparam("its"), variants.c.name == bindparam("named"), variants.c.state.in_(OPEN)
)
_ATTEMPT = insert(attempts)
_MADE = [one.name for one in fields(MadeVariant) if one.name not in ("name", "reused")]


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
    async with db.write(few=True, lasting=False) as tx:
        batch = await batch_records.lock_of(tx, image_id)
        if not batch:
            return Refusal.GONE
        row = (await tx.execute(_IMAGE, {"its": image_id})).one()
        if State(row.state).over or row.generation != generation or not (row.key or row.source):
            return Refusal.GONE
        if row.state == State.ACTIVE:
            return Refusal.BUSY
        if batch.needs > understands:
            return Refusal.NEWER
        if row.not_before and row.not_before > at:
            return Refusal.EARLY
        missing = tuple(one.name for one in await tx.execute(_VARIANTS, {"its": image_id}) if not State(one.state).over)
        wanted = _wanted(engine, batch, row.sha256, missing)
        found = await known.find(tx, wanted)
        taken = {
            "state": State.ACTIVE,
            "token": token,
            "process_id": process_id,
            "not_before": None,
            "admitted": True,
            "tries": row.tries + 1,
            "started_at": row.started_at or at,
            "error_code": None,
            "failed_reason": None,
        }
        await tx.execute(IMAGE, {"its": image_id, **taken})
        attempt = {
            "token": token,
            "image_id": image_id,
            "batch_id": batch.id,
            "number": generation,
            "process_id": process_id,
            "worker": worker,
            "started_at": at,
        }
        await tx.execute(_ATTEMPT, attempt)
        news = [News("image.started", image_id, data={"attempt": generation})]
        await log(tx, batch.id, batch.seq, news, status=BatchStatus.PROCESSING, active=batch.counts.active + 1)
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
    async with db.write(few=True) as tx:
        batch, row = await held_by(tx, held)
        values = {"key": key, "bytes": bytes, "sha256": sha256, "format": format}
        await tx.execute(IMAGE, {"its": row.id, **values})
        await log(tx, batch.id, batch.seq, [News("image.fetched", row.id, data={"bytes": bytes, "format": format})])
        wanted = _wanted(held.engine, batch, sha256, held.missing)
        found = await known.find(tx, wanted)
    return replace(held, key=key, sha256=sha256, digests=wanted, known=found)


async def record(db: Database, held: Claim, report: Report) -> None:
    """Record variants as they are made. Raises Fenced."""
    async with db.write(few=True) as tx:
        batch, row = await held_by(tx, held)
        await log(tx, batch.id, batch.seq, await note(tx, row, report))


async def complete(db: Database, held: Claim, report: Report) -> BatchStatus:
    """Record the last variants and end the image; the batch's status afterwards. Raises Fenced.

    Complete means that every variant is; one that can never be made makes the image failed.
    """
    async with db.write(few=True) as tx:
        batch, row = await held_by(tx, held)
        news = await _results(tx, row, report)
        its_variants = (await tx.execute(_VARIANTS, {"its": row.id})).all()
        bad = next((one for one in its_variants if one.state == State.FAILED), None)
        if bad:
            state, change = State.FAILED, {"error_code": bad.error_code, "failed_reason": bad.error}
            news.append(failed_news(row.id, bad.error_code, bad.error))
        else:
            state, change = State.COMPLETED, {"error_code": None, "failed_reason": None}
            news.append(News("image.completed", row.id, data=_sums(row, its_variants)))
        change |= _header(report)
        await end_image(tx, row, state, timings=report.timings or row.timings, **change)
        await end_attempt(tx, held.token, state, change["error_code"], change["failed_reason"])
        done = state is State.COMPLETED
        return await settle(tx, batch, news, active=-1, completed=int(done), failed=int(not done))


async def fail(db: Database, held: Claim, failure: Failure, report: Report) -> BatchStatus:
    """End a try that failed: the image waits for its next generation, or is a dead letter. Raises Fenced."""
    async with db.write(few=True) as tx:
        batch, row = await held_by(tx, held)
        news = await _results(tx, row, report)
        crashes = row.crashes + failure.crashed
        if failure.delay is None:
            await tx.execute(
                update(variants)
                .where(variants.c.image_id == row.id, variants.c.state.in_(OPEN))
                .values(state=State.FAILED, error_code=failure.code, error=failure.reason)
            )
            await end_image(
                tx,
                row,
                State.FAILED,
                timings=report.timings or row.timings,
                error_code=failure.code,
                failed_reason=failure.reason,
                crashes=crashes,
                **_header(report),
            )
            await end_attempt(tx, held.token, "failed", failure.code, failure.reason, failure.traceback)
            news.append(failed_news(row.id, failure.code, failure.reason))
            return await settle(tx, batch, news, active=-1, failed=1)
        due = now() + timedelta(seconds=failure.delay)
        await wait_again(tx, row, not_before=due, crashes=crashes, **_header(report))
        await end_attempt(tx, held.token, "retrying", failure.code, failure.reason, failure.traceback)
        data = {"errorCode": failure.code, "reason": failure.reason, "attempt": held.generation, "delay": failure.delay}
        news.append(News("image.retrying", row.id, data=data))
        return await settle(tx, batch, news, active=-1)


async def held_by(tx: Transaction, held: Claim) -> tuple[Batch, Row[Any]]:
    """The batch, locked, and the row of the image that is held. Raises Fenced."""
    batch = await batch_records.lock(tx, held.batch_id)
    row = (await tx.execute(_IMAGE, {"its": held.image_id})).one_or_none()
    if not batch or not row or row.token != held.token or row.state != State.ACTIVE:
        raise Fenced(held.image_id)
    return batch, row


async def note(tx: Transaction, row: Row[Any], report: Report) -> list[News]:
    """Write down what was seen, made and lost of an image that is held; what to log of it."""
    if report.seen:
        await tx.execute(IMAGE, {"its": row.id, **_header(report)})
    return await _results(tx, row, report)


async def _results(tx: Transaction, row: Row[Any], report: Report) -> list[News]:
    """Write down what was made and lost; what to log of it.

    A variant that is over stays as it is, without a word: it was written before, and only the answer was lost.
    """
    news = []
    for made in report.made:
        done = {"state": State.COMPLETED, "progress": 100, "error_code": None, "error": None}
        done |= {name: getattr(made, name) for name in _MADE}
        if not (await tx.execute(_VARIANT, {"its": row.id, "named": made.name, **done})).rowcount:
            continue
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
        failed = {"state": State.FAILED, "error_code": lost.code, "error": lost.reason}
        if (await tx.execute(_VARIANT, {"its": row.id, "named": lost.name, **failed})).rowcount:
            news.append(News("variant.failed", row.id, lost.name, {"errorCode": lost.code, "reason": lost.reason}))
    return news


def _header(report: Report) -> dict[str, Any]:
    """What was seen of the image, for its row."""
    seen = report.seen
    return {"format": seen.format, "width": seen.width, "height": seen.height, "facts": seen.facts} if seen else {}


def _sums(row: Row[Any], its_variants: Sequence[Row[Any]]) -> dict[str, Any]:
    return {
        "variants": len(its_variants),
        "bytes": sum(one.bytes or 0 for one in its_variants),
        "originalBytes": row.bytes,
    }
