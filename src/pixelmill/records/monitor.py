"""What the monitor shows: jobs by state, counts, processes, and how the service was over time.

Nothing here reads more rows the more there are: lists are pages on an index, counts stop at :data:`MOST`, and figures
over time come from samples that were taken then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, delete, func, insert, literal, select, union_all

from pixelmill.records.database import Database
from pixelmill.records.images import HIDDEN, IMAGE, with_variants
from pixelmill.records.models import Image, State
from pixelmill.records.tables import images, now, processes, samples

#: Rows that a count looks at; what is more is told as so many at least.
MOST = 10_000
#: Images of an interval whose latency is looked at.
LOOKED_AT = 1_000


@dataclass(frozen=True, slots=True)
class Process:
    """A process that beats. ``doing`` is what it said with its last beat."""

    id: str
    kind: str
    host: str
    pid: int
    version: str
    beat: int
    started_at: datetime
    doing: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """The service over the ``seconds`` before ``at``. Latencies and ``oldest`` in seconds; None where nothing was."""

    at: datetime
    seconds: float
    completed: int
    failed: int
    waiting: int
    active: int
    oldest: float | None
    latency_p50: float | None
    latency_p95: float | None


async def jobs(
    db: Database,
    *,
    owner: str | None = None,
    state: str | None = None,
    error_code: str | None = None,
    batch_id: str | None = None,
    name: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[Image], str | None]:
    """Images, newest first, and the cursor of the next page. ``name`` is part of the file's name, in any case.

    Purged dead letters, and what is on its way out with its batch, are left out. A search by name or code looks at the
    newest :data:`MOST` images of a page at most, so the cursor may be set on a page with nothing on it: there is more.
    """
    of = [~HIDDEN] if batch_id is None else [~HIDDEN, images.c.batch_id == batch_id]
    if cursor is not None:
        of.append(images.c.id < cursor)
    sought = []
    if error_code is not None:
        sought.append(images.c.error_code == error_code)
    if name:
        sought.append(func.lower(images.c.original_name).contains(name.lower(), autoescape=True))
    # The index has ids in order within a state: all states are five walks that are merged, each no longer than a page.
    states = list(State) if state is None else [State(state)]

    def newest(terms: Iterable[ColumnElement[bool]], most: int) -> CompoundSelect[tuple[str]]:
        walks = []
        for one in states:
            walk = select(images.c.id).where(*_of(owner, one), *of, *terms).order_by(images.c.id.desc()).limit(most)
            walks.append(select(walk.subquery().c.id))
        return union_all(*walks)

    async with db.read() as connection:
        floor = None
        if sought:
            window = newest((), MOST + 1).subquery()
            edge = select(window.c.id).order_by(window.c.id.desc()).offset(MOST).limit(1)
            floor = (await connection.execute(edge)).scalar_one_or_none()
            if floor is not None:
                sought.append(images.c.id >= floor)
        found = newest(sought, limit + 1).subquery()
        ids = (
            (await connection.execute(select(found.c.id).order_by(found.c.id.desc()).limit(limit + 1))).scalars().all()
        )
        query = select(*IMAGE).where(images.c.id.in_(ids[:limit])).order_by(images.c.id.desc())
        page = await with_variants(connection, (await connection.execute(query)).all())
    return page, ids[limit - 1] if len(ids) > limit else floor


async def counts(db: Database, *, owner: str | None = None) -> dict[str, int]:
    """Images by state; :data:`MOST` stands for so many at least."""
    found = {}
    async with db.read() as connection:
        for state in State:
            some = select(literal(1)).select_from(images).where(*_of(owner, state)).limit(MOST).subquery()
            found[state.value] = (await connection.execute(select(func.count()).select_from(some))).scalar_one()
    return found


async def errors(db: Database, *, owner: str | None = None) -> list[tuple[str, int]]:
    """The codes of the newest :data:`MOST` failed images, the commonest first."""
    newest = (
        select(images.c.error_code).where(*_of(owner, State.FAILED)).order_by(images.c.id.desc()).limit(MOST).subquery()
    )
    many = func.count().label("many")
    query = select(newest.c.error_code, many).group_by(newest.c.error_code).order_by(many.desc())
    async with db.read() as connection:
        return [(row.error_code or "unknown", row.many) for row in await connection.execute(query)]


async def oldest(db: Database, *, owner: str | None = None) -> datetime | None:
    """When the oldest image that waits was accepted."""
    query = select(images.c.created_at).where(*_of(owner, State.WAITING)).order_by(images.c.id).limit(1)
    async with db.read() as connection:
        found: datetime | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def running(db: Database) -> list[Process]:
    """Every process that is not known to be dead, the oldest first."""
    columns = [column for column in processes.c if column.name in Process.__dataclass_fields__]
    async with db.read() as connection:
        rows = await connection.execute(select(*columns).order_by(processes.c.started_at, processes.c.id))
        return [Process(**row._mapping) for row in rows]


async def sample(db: Database, since: datetime) -> Sample:
    """Note how the service was since ``since``, and is now."""
    at = now()
    ended = (images.c.finished_at >= since) & (images.c.finished_at < at)
    have = await counts(db)
    waits_since = await oldest(db)
    async with db.read() as connection:
        many = {}
        for state in (State.COMPLETED, State.FAILED):
            query = select(func.count()).select_from(images).where(images.c.state == state, ended)
            many[state] = (await connection.execute(query)).scalar_one()
        query = select(images.c.finished_at, images.c.created_at).where(images.c.state == State.COMPLETED, ended)
        rows = (await connection.execute(query.limit(LOOKED_AT))).all()
    took = sorted((row.finished_at - row.created_at).total_seconds() for row in rows)
    made = Sample(
        at=at,
        seconds=(at - since).total_seconds(),
        completed=many[State.COMPLETED],
        failed=many[State.FAILED],
        waiting=have[State.WAITING],
        active=have[State.ACTIVE],
        oldest=(at - waits_since).total_seconds() if waits_since else None,
        latency_p50=_share(took, 0.5),
        latency_p95=_share(took, 0.95),
    )
    async with db.write() as tx:
        values = {name: getattr(made, name) for name in Sample.__dataclass_fields__}
        await tx.execute(insert(samples).values(**values))
    return made


async def series(db: Database, since: datetime, limit: int = 2_000) -> list[Sample]:
    """The samples since ``since``, oldest first; the newest ``limit`` of them."""
    query = select(samples).where(samples.c.at > since).order_by(samples.c.at.desc()).limit(limit)
    async with db.read() as connection:
        return [Sample(**row._mapping) for row in await connection.execute(query)][::-1]


async def last_sample(db: Database) -> Sample | None:
    async with db.read() as connection:
        row = (await connection.execute(select(samples).order_by(samples.c.at.desc()).limit(1))).one_or_none()
    return Sample(**row._mapping) if row else None


async def forget_samples(db: Database, older: timedelta) -> None:
    async with db.write() as tx:
        await tx.execute(delete(samples).where(samples.c.at < now() - older))


def _of(owner: str | None, state: State) -> list[ColumnElement[bool]]:
    found = [images.c.state == state, images.c.purged.is_(False)]
    return found if owner is None else [images.c.owner == owner, *found]


def _share(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
