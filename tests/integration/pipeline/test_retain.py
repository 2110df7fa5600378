"""What has been kept long enough is gone from storage and from the record; what has not is untouched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from pixelmill.errors import PixelmillError
from pixelmill.pipeline import Retainer, retain
from pixelmill.pipeline.ending import cancel, replay
from pixelmill.pipeline.reconcile import Reconciler
from pixelmill.recipes import load_presets
from pixelmill.records import audit, batches, images, shares, work
from pixelmill.records.claims import Claim, Failure, Fenced, MadeVariant, Report
from pixelmill.records.keys import By
from pixelmill.records.tables import images as tables_images
from pixelmill.records.tables import uploads
from pixelmill.storage import keys
from tests.integration.pipeline.conftest import Parts

DEFAULT = load_presets()["default"].recipe
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(5000)
RESULT = b"made" * 100


def retainer(parts: Parts, days: float = 0) -> Retainer:
    """One that lives ``days`` from now."""
    return Retainer(
        parts.database, parts.storage, parts.settings, clock=lambda: datetime.now(UTC) + timedelta(days=days)
    )


async def accept(parts: Parts, files: int = 2, **retention: float) -> str:
    acceptance = await parts.intake.begin(owner="me")
    for number in range(files):
        file = await acceptance.file(f"{number}.jpg")
        await file.write(JPEG)
        await file.close()
    return (await acceptance.commit(recipe=DEFAULT, retention=retention)).batch_id


async def take(parts: Parts, image_id: str) -> Claim:
    image = await images.find(parts.database, image_id)
    assert image
    held = await work.claim(
        parts.database,
        image_id,
        image.generation,
        token=f"{image_id[-12:]}-{image.generation}",
        process_id=parts.presence.id,
        worker="test:1",
    )
    assert isinstance(held, Claim)
    return held


async def store(parts: Parts, held: Claim) -> MadeVariant:
    key = keys.result(held.batch_id, held.image_id, held.token, "default", "jpg")
    await parts.storage.put(key, RESULT)
    return MadeVariant("default", key, "jpeg", "image/jpeg", 4, 3, len(RESULT), 80, 0.1, {})


async def finish(parts: Parts, batch_id: str) -> list[str]:
    ids = []
    for image in await images.of_batch(parts.database, batch_id):
        held = await take(parts, image.id)
        await work.complete(parts.database, held, Report(made=[await store(parts, held)]))
        ids.append(image.id)
    return ids


def stored(parts: Parts) -> tuple[int, int]:
    """Files and bytes on the disk."""
    paths = [parts.folder / name for name in parts.files()]
    return len(paths), sum(path.stat().st_size for path in paths)


async def rows(parts: Parts) -> int:
    """Images in the record, hidden ones too."""
    async with parts.database.read() as connection:
        return len((await connection.execute(select(tables_images.c.id))).all())


async def test_bytes_are_counted_while_they_go(parts: Parts) -> None:
    """Originals after a week, results and record after thirty days, as set; nothing of another batch is touched."""
    batch_id = await accept(parts)
    (first, _) = await finish(parts, batch_id)
    other = await accept(parts, 1, originals=0, results=0)
    await finish(parts, other)
    both = 3 * len(JPEG) + 3 * len(RESULT)
    assert stored(parts) == (6, both)
    assert await retainer(parts, 6.9).round() == 0
    assert stored(parts) == (6, both)

    assert await retainer(parts, 7.1).round() == 1
    assert stored(parts) == (4, both - 2 * len(JPEG))
    assert [name for name in parts.files() if name.startswith(f"originals/{batch_id}")] == []
    batch = await batches.find(parts.database, batch_id)
    image = await images.find(parts.database, first)
    assert batch
    assert image
    assert (batch.retention.originals_gone, batch.retention.results_gone, image.key) == (True, False, None)
    assert await retainer(parts, 7.1).round() == 0

    assert await retainer(parts, 30.1).round() == 2
    assert stored(parts) == (2, len(JPEG) + len(RESULT))
    assert await batches.find(parts.database, batch_id) is None
    assert await images.find(parts.database, first) is None
    assert await retainer(parts, 99999).round() == 0
    assert await batches.find(parts.database, other)


async def test_a_batch_may_be_kept_for_as_long_as_it_says(parts: Parts) -> None:
    batch_id = await accept(parts, originals=60, results=3600)
    await finish(parts, batch_id)
    await retainer(parts, 61 / 86400).round()
    assert stored(parts) == (2, 2 * len(RESULT))
    await retainer(parts, 3601 / 86400).round()
    assert stored(parts) == (0, 0)


async def test_what_could_not_be_deleted_is_deleted_by_the_next_round(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = await accept(parts)
    await finish(parts, batch_id)
    other = await accept(parts, 1)
    await finish(parts, other)
    delete = parts.storage.delete_prefix

    async def broken(prefix: str) -> int:
        if batch_id in prefix:
            raise OSError("the disk is away")
        return await delete(prefix)

    with monkeypatch.context() as patch:
        patch.setattr(parts.storage, "delete_prefix", broken)
        assert await retainer(parts, 8).round() == 1  # it holds up nothing else
    batch = await batches.find(parts.database, batch_id)
    assert batch
    assert batch.retention.originals_gone
    assert batch.retention.originals_until
    assert stored(parts)[0] == 5
    await retainer(parts, 8).round()
    assert stored(parts)[0] == 3


async def test_a_batch_whose_original_is_gone_says_so(parts: Parts) -> None:
    batch_id = await accept(parts, 1)
    (image,) = await images.of_batch(parts.database, batch_id)
    failure = Failure("corrupt-image", "It is bad.")
    await work.fail(parts.database, await take(parts, image.id), failure, Report())
    await retainer(parts, 8).round()
    with pytest.raises(PixelmillError, match=r"conflict.*Send the image again"):
        await replay(parts.database, parts.queue, image.id)


async def test_a_finished_batch_is_purged_at_once(parts: Parts) -> None:
    batch_id = await accept(parts)
    await finish(parts, batch_id)
    await shares.create(
        parts.database, "share", "token", owner="me", batch_id=batch_id, expires_at=datetime.now(UTC) + timedelta(1)
    )
    await retainer(parts).purge(parts.queue, batch_id, by=By("me", "key"))
    assert stored(parts) == (0, 0)
    assert parts.files() == []
    assert await batches.find(parts.database, batch_id) is None
    assert await shares.by_token(parts.database, "token", datetime.now(UTC)) is None
    ((line,), _) = await audit.page(parts.database, owner="me")
    assert (line.action, line.target, line.key_id) == ("batch.purge", batch_id, "key")
    with pytest.raises(PixelmillError, match="not-found"):
        await retainer(parts).purge(parts.queue, batch_id, by=By())


async def test_what_a_worker_writes_after_a_purge_is_deleted_too(parts: Parts) -> None:
    batch_id = await accept(parts)
    first, _ = await images.of_batch(parts.database, batch_id)
    held = await take(parts, first.id)
    await retainer(parts).purge(parts.queue, batch_id, by=By())
    assert stored(parts) == (0, 0)
    assert await batches.find(parts.database, batch_id) is None

    late = await store(parts, held)  # it does not know yet
    with pytest.raises(Fenced):
        await work.complete(parts.database, held, Report(made=[late]))
    assert stored(parts)[0] == 1
    await retainer(parts).round()
    assert await rows(parts) == 2  # it might write once more
    assert await retainer(parts, 1).round() == 1
    assert stored(parts) == (0, 0)
    assert await rows(parts) == 0


async def test_what_a_worker_writes_after_a_cancellation_is_swept(parts: Parts) -> None:
    batch_id = await accept(parts, 1)
    (image,) = await images.of_batch(parts.database, batch_id)
    held = await take(parts, image.id)
    await cancel(parts.database, parts.queue, batch_id)
    await store(parts, held)
    settings = parts.settings.model_copy(update={"image_seconds": -60.0, "lease_seconds": 0.0})  # the deadline is over
    sweeper = Reconciler(parts.database, parts.storage, parts.queue, settings, presence=parts.presence)
    await sweeper.sweep_tries()
    assert [name for name in parts.files() if name.startswith("processed/")] == []


async def test_an_upload_that_a_batch_took_goes_with_it(parts: Parts) -> None:
    """Its bytes stayed where they had come; they, its pieces and its row go with the originals, and no other's."""
    batch_id = await accept(parts)
    first, _ = await finish(parts, batch_id)
    for upload in ("mine", "other"):
        for key in (keys.whole(upload, "t"), keys.piece(upload, "t", 0)):
            await parts.storage.put(key, JPEG)
    at = datetime.now(UTC)
    async with parts.database.write() as tx:
        for upload in ("mine", "other"):
            await tx.execute(
                insert(uploads).values(
                    id=upload,
                    owner="me",
                    kind="tus",
                    state="taken",
                    original_name="a.jpg",
                    key=keys.whole(upload, "t"),
                    expires_at=at,
                    created_at=at,
                )
            )
        await tx.execute(update(tables_images).where(tables_images.c.id == first).values(key=keys.whole("mine", "t")))
    await retainer(parts, 8).round()
    assert [name for name in parts.files() if "mine" in name or name.startswith("originals/")] == []
    assert len([name for name in parts.files() if "other" in name]) == 2
    async with parts.database.read() as connection:
        assert [row.id for row in await connection.execute(select(uploads.c.id))] == ["other"]


async def test_what_has_more_to_do_than_its_time_holds_up_nothing_else(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round without time does a page of each: originals that are due faster than they go are no reason to keep
    results, nor rows."""
    monkeypatch.setattr(retain, "ROUND", 0)
    page = 20
    ids = [await accept(parts, files=1, originals=1, results=1) for _ in range(page + 1)]
    for batch_id in ids:
        await finish(parts, batch_id)
    found = [await batches.find(parts.database, batch_id) for batch_id in ids]
    assert all(found)
    await retainer(parts, days=1).round()
    left = [await batches.find(parts.database, batch_id) for batch_id in ids]
    assert len([one for one in left if one]) == 1
    await retainer(parts, days=1).round()
    assert not parts.files()


async def test_what_cannot_be_deleted_slows_nothing_down(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of batches that are stuck, the oldest: those behind them are deleted in the same round."""
    stuck = [await accept(parts, files=1, originals=1) for _ in range(21)]
    others = [await accept(parts, files=1, originals=1) for _ in range(2)]
    for batch_id in (*stuck, *others):
        await finish(parts, batch_id)
    delete = parts.storage.delete_prefix

    async def broken(prefix: str) -> int:
        if any(batch_id in prefix for batch_id in stuck):
            raise OSError("its folder is not ours")
        return await delete(prefix)

    with monkeypatch.context() as patch:
        patch.setattr(parts.storage, "delete_prefix", broken)
        patch.setattr(retain, "ROUND", 60)
        assert await retainer(parts, 1).round() == 2
