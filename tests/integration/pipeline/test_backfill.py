"""A backfill takes in everything of a folder or a bucket, once, also when it is broken off and started again."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import update

from pixelmill.errors import PixelmillError
from pixelmill.pipeline import Backfill, Intake, Wanted
from pixelmill.recipes import load_presets
from pixelmill.records import backfills, batches, images, tables
from pixelmill.settings import Settings
from pixelmill.storage import LocalStorage, Storage, connect
from tests.integration.pipeline.conftest import Parts
from tests.servers import S3
from tests.sites import JPEG

RECIPE = load_presets()["thumbnail"].recipe
NAMES = ["2024/ä photo.jpg", "2024/b.jpg", "2024/c.txt", "2025/a.jpg", "2025/d/e.jpg", "z.jpg"]


@pytest.fixture
async def intake(parts: Parts) -> AsyncIterator[Intake]:
    settings = parts.settings.model_copy(update={"max_files": 100})
    intake = Intake(parts.database, parts.storage, parts.queue, settings, presence=parts.presence)
    yield intake
    await intake.close()


@pytest.fixture
def bucket(tmp_path: Path) -> LocalStorage:
    folder = tmp_path / "theirs"
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"no picture" if name.endswith("txt") else JPEG)
    return LocalStorage(folder)


def wanted(**more: int) -> Wanted:
    return Wanted("file:///theirs", RECIPE, "thumbnail", **more)  # type: ignore[arg-type]


async def taken(parts: Parts) -> list[str]:
    """The names of all images, in the order they were taken in."""
    found, _ = await batches.page(parts.database)
    of = [await images.of_batch(parts.database, batch.id) for batch in reversed(found)]
    return [image.original_name for one in of for image in one]


def ignore(images: int, key: str) -> None:
    """What a person would be told."""


async def test_everything_is_taken_in_once(parts: Parts, intake: Intake, bucket: LocalStorage) -> None:
    told: list[tuple[int, str]] = []
    assert await Backfill(intake, bucket, wanted(page=4)).run(lambda *one: told.append(one)) == 6
    names = [name.rpartition("/")[2] for name in NAMES]
    assert sorted(await taken(parts)) == sorted(names)
    assert told == [(4, sorted(NAMES)[3]), (6, sorted(NAMES)[5])]
    first, *_ = (await batches.page(parts.database))[0]
    assert (first.priority, first.preset, first.metadata["backfill"]) == (100, "thumbnail", "file:///theirs")
    states = [image.error_code for image in await images.of_batch(parts.database, first.id)]
    assert set(states) <= {None, "unsupported-format"}

    # Again: nothing new. Then one more file that comes after all.
    assert await Backfill(intake, bucket, wanted(page=4)).run(ignore) == 6
    await bucket.put("zz.jpg", JPEG)
    assert await Backfill(intake, bucket, wanted(page=4)).run(ignore) == 7
    assert len(await taken(parts)) == 7
    assert await Backfill(intake, bucket, wanted(page=4)).run(ignore, again=True) == 7
    assert len(await taken(parts)) == 14


async def test_it_goes_on_where_it_was_broken_off(parts: Parts, intake: Intake, bucket: LocalStorage) -> None:
    def stop(images: int, key: str) -> None:
        raise KeyboardInterrupt if images >= 4 else AssertionError

    with pytest.raises(KeyboardInterrupt):
        await Backfill(intake, bucket, wanted(page=4)).run(stop)
    assert len(await taken(parts)) == 4
    assert await Backfill(intake, bucket, wanted(page=4)).run(ignore) == 6
    assert len(await taken(parts)) == len(NAMES)


async def test_many_may_begin_it_at_once(parts: Parts) -> None:
    for name in "abc":
        ends = await asyncio.gather(*(backfills.start(parts.database, name, "source") for _ in range(8)))
        assert ends == [("", 0)] * 8


async def test_of_two_at_once_one_gives_way(parts: Parts, intake: Intake, bucket: LocalStorage) -> None:
    runs = [Backfill(intake, bucket, wanted(page=2)).run(ignore) for _ in range(2)]
    ends = await asyncio.gather(*runs, return_exceptions=True)
    assert any(end == 6 for end in ends), ends
    assert all(end == 6 or (isinstance(end, PixelmillError) and end.code == "conflict") for end in ends), ends
    assert len(await taken(parts)) == len(NAMES)


async def test_a_page_without_any_image_is_passed_over(parts: Parts, intake: Intake, bucket: LocalStorage) -> None:
    assert await Backfill(intake, bucket, wanted(page=1)).run(ignore) == 5
    assert "c.txt" not in await taken(parts)
    assert [name for name in parts.files() if "c.txt" in name] == []


async def test_it_waits_while_much_waits(parts: Parts, intake: Intake, bucket: LocalStorage) -> None:
    reached: asyncio.Queue[int] = asyncio.Queue()
    run = Backfill(intake, bucket, wanted(page=2, depth=3), pause=0.01).run(lambda many, _: reached.put_nowait(many))
    running = asyncio.create_task(run)
    for many in (2, 4, 6):
        async with asyncio.timeout(60):
            assert await reached.get() == many
        if many == 4:  # one of the four is no picture, so three wait
            for _ in range(20):
                await asyncio.sleep(0.01)
            assert reached.empty()
            async with parts.database.write() as tx:
                await tx.execute(update(tables.images).values(state="completed"))
    assert await running == 6


@pytest.fixture
async def far(s3: S3) -> AsyncIterator[Storage]:
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        storage_url=f"s3://{s3.bucket}/{uuid.uuid4().hex}",
        aws_endpoint_url=s3.endpoint,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,  # type: ignore[arg-type]
    )
    found = connect(settings)
    yield found
    await found.close()


async def test_a_bucket_of_s3_is_walked_in_order(far: Storage) -> None:
    for name in ("b/2.jpg", "a.jpg", "b/1.jpg", "c.jpg"):
        await far.put(name, JPEG)
    assert [one.key async for one in far.walk()] == ["a.jpg", "b/1.jpg", "b/2.jpg", "c.jpg"]
    assert [one.key async for one in far.walk("b/1.jpg")] == ["b/2.jpg", "c.jpg"]
    assert b"".join([chunk async for chunk in far.read_any("c.jpg")]) == JPEG
