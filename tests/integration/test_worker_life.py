"""A worker shows what it does, ends in time and hands back what it has, and is replaced when it has grown too large."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pixelmill import app
from pixelmill.pipeline import Intake, Presence
from pixelmill.recipes import Recipe, load_presets, parse_recipe
from pixelmill.records import images, monitor
from pixelmill.records.models import Image, State
from pixelmill.settings import Settings
from tests.queues import until

SLOW = parse_recipe(
    {"variants": [{"name": f"v{n}", "output": {"format": "avif", "effort": 9, "quality": 90}} for n in range(4)]}
)


@pytest.fixture
async def settings(tmp_path: Path, valkey_url: str) -> Settings:
    made = Settings(
        _env_file=None,  # type: ignore[call-arg]
        data_dir=tmp_path,
        redis_url=valkey_url,  # type: ignore[arg-type]
        workers=1,
        urgent_workers=0,
        lease_seconds=3,
        grace_seconds=0.5,
    )
    await app.migrate(made)
    return made


@asynccontextmanager
async def accepted(settings: Settings, recipe: Recipe, data: bytes) -> AsyncIterator[str]:
    """The id of an image that waits."""
    database, queue, storage = app.database(settings), app.queue(settings), await app.storage(settings)
    presence = Presence(database, settings, "api")
    await presence.enter()
    intake = Intake(database, storage, queue, settings, presence=presence)
    acceptance = await intake.begin()
    file = await acceptance.file("a.jpg")
    await file.write(data)
    await file.close()
    await acceptance.commit(recipe=recipe)
    await intake.close()
    yield file.image_id
    await presence.leave()
    await storage.close()
    await queue.close()
    await database.close()


async def look(settings: Settings, image_id: str) -> Image:
    database = app.database(settings)
    found = await images.find(database, image_id)
    await database.close()
    assert found
    return found


async def workers(settings: Settings) -> list[monitor.Process]:
    database = app.database(settings)
    found = [one for one in await monitor.running(database) if one.kind == "worker"]
    await database.close()
    return found


async def test_what_is_not_done_within_its_grace_is_handed_back(settings: Settings, photo: Path) -> None:
    async with accepted(settings, SLOW, photo.read_bytes()) as image_id:
        stop = asyncio.Event()
        working = asyncio.create_task(app.worker(settings, stop))

        async def shows() -> bool:
            told = [one.doing for one in await workers(settings)]
            return any(one.get("memory", 0) > 1_000_000 and one["images"] and not one["stopping"] for one in told)

        await until(shows)  # what it does is seen in the monitor
        stop.set()
        async with asyncio.timeout(60):
            await working
        image = await look(settings, image_id)
        assert (image.state, image.generation, image.tries) == (State.WAITING, 2, 0)
        assert await workers(settings) == []


async def test_what_can_be_done_within_its_grace_is(settings: Settings, photo: Path) -> None:
    settings = settings.model_copy(update={"grace_seconds": 60.0})
    recipe = load_presets()["instagram"].recipe
    async with accepted(settings, recipe, photo.read_bytes()) as image_id:
        stop = asyncio.Event()
        working = asyncio.create_task(app.worker(settings, stop))

        async def begun() -> bool:
            return (await look(settings, image_id)).state is not State.WAITING

        await until(begun)
        stop.set()
        async with asyncio.timeout(90):
            await working
        assert (await look(settings, image_id)).state is State.COMPLETED


async def test_one_that_has_grown_too_large_ends_by_itself(settings: Settings) -> None:
    small = settings.model_copy(update={"worker_memory_bytes": 1_000_000})
    async with asyncio.timeout(60):
        await app.worker(small, asyncio.Event())
    assert await workers(settings) == []
