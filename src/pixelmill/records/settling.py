"""The ends of tries, images and batches, and the counters between: what every change of state comes to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, bindparam, update

from pixelmill.records import deliveries
from pixelmill.records.events import News, log
from pixelmill.records.models import Batch, BatchStatus, Counts, State
from pixelmill.records.retention import Until
from pixelmill.records.tables import attempts, images, now
from pixelmill.records.transaction import Transaction

# Made once: putting a statement together costs more than running it. What is given beside ``its`` is set.
IMAGE = update(images).where(images.c.id == bindparam("its"))
_ATTEMPT = update(attempts).where(attempts.c.token == bindparam("its"))


async def settle(
    tx: Transaction, batch: Batch, news: list[News], *, cancels: bool = False, **changes: int
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


async def end_image(tx: Transaction, row: Row[Any], state: State, **values: Any) -> None:
    """Its last state, with ``values`` beside."""
    values |= {"state": state, "token": None, "process_id": None, "finished_at": now()}
    await tx.execute(IMAGE, {"its": row.id, **values})


async def end_attempt(
    tx: Transaction, token: str, outcome: str, code: str | None = None, reason: str | None = None, trace: str = ""
) -> None:
    ended = {"ended_at": now(), "outcome": outcome, "error_code": code, "reason": reason, "traceback": trace or None}
    await tx.execute(_ATTEMPT, {"its": token, **ended})


async def wait_again(tx: Transaction, row: Row[Any], **values: Any) -> int:
    """The image waits for its next try, of the generation that is returned."""
    generation: int = row.generation + 1
    values |= {"state": State.WAITING, "token": None, "process_id": None, "generation": generation}
    await tx.execute(IMAGE, {"its": row.id, **values})
    return generation
