"""An image takes over results that were made before: of the same bytes, for the same owner, by the same engine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, insert, or_, select

from pixelmill.records.claims import Claim, MadeVariant, Report, Seen
from pixelmill.records.database import Database
from pixelmill.records.events import log
from pixelmill.records.known import Known
from pixelmill.records.tables import borrowed, images, variants
from pixelmill.records.work import held_by, note

_HOME = (
    select(
        variants.c.digest,
        images.c.batch_id,
        images.c.format,
        images.c.width,
        images.c.height,
        images.c.facts,
        borrowed.c.home,
        borrowed.c.home_image,
    )
    .join(images, images.c.id == variants.c.image_id)
    .outerjoin(borrowed, and_(borrowed.c.image_id == variants.c.image_id, borrowed.c.name == variants.c.name))
)


async def reuse(db: Database, held: Claim, known: Mapping[str, Known]) -> Claim:
    """Complete those variants with results that are ``known`` and can still be had; the claim of what is left.

    Raises Fenced.
    """
    left = replace(held, known={})
    if not known:
        return left
    these = _these(known.values())
    wanted = {held.digests[name] for name in known}
    async with db.write(few=True) as tx:
        batch, row = await held_by(tx, held)
        # What somebody is giving up is locked, and skipped; what is locked here cannot be given up meanwhile.
        query = select(variants).where(these, variants.c.digest.in_(wanted))
        locked = await tx.execute(query.with_for_update(read=True, skip_locked=True))
        sources = {source.digest: source for source in locked}
        took = {name: sources[held.digests[name]] for name in known if held.digests[name] in sources}
        if not took:
            return left
        homes: dict[str, Any] = {home.digest: home for home in await tx.execute(_HOME.where(these))}
        news = await note(
            tx,
            row,
            Report(
                seen=_seen(homes.values()),
                made=[_made(name, source) for name, source in took.items()],
            ),
        )
        await tx.execute(
            insert(borrowed),
            [
                {
                    "image_id": row.id,
                    "name": name,
                    "batch_id": batch.id,
                    "key": source.key,
                    "home": homes[source.digest].home or homes[source.digest].batch_id,
                    "home_image": homes[source.digest].home_image or source.image_id,
                }
                for name, source in took.items()
            ],
        )
        await log(tx, batch.id, batch.seq, news)
    return replace(left, missing=tuple(name for name in held.missing if name not in took))


def _these(known: Collection[Known]) -> ColumnElement[bool]:
    return or_(
        *(
            and_(variants.c.image_id == one.image_id, variants.c.name == one.name, variants.c.key == one.key)
            for one in known
        )
    )


def _made(name: str, source: Row[Any]) -> MadeVariant:
    return MadeVariant(
        name=name,
        key=source.key,
        format=source.format,
        content_type=source.content_type,
        width=source.width,
        height=source.height,
        bytes=source.bytes,
        quality=source.quality,
        seconds=0.0,
        facts=source.facts,
        digest=source.digest,
        reused=True,
    )


def _seen(homes: Collection[Any]) -> Seen | None:
    """What the other image's header told; it is of the same bytes."""
    for home in homes:
        if home.width is not None:
            return Seen(home.format, home.width, home.height, home.facts)
    return None
