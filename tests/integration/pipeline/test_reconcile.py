"""A queue that has lost everything is given back all that it is to know."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from pixelmill.errors import PixelmillError
from pixelmill.pipeline import Reconciler
from pixelmill.queue import Job
from pixelmill.recipes import load_presets
from pixelmill.records import switches
from tests.integration.pipeline.conftest import Parts
from tests.sites import JPEG

DEFAULT = load_presets()["default"].recipe


@pytest.fixture
def reconciler(parts: Parts) -> Reconciler:
    return Reconciler(parts.database, parts.storage, parts.queue, parts.settings, presence=parts.presence)


async def waiting(parts: Parts) -> Job:
    """An image that waits."""
    acceptance = await parts.intake.begin()
    file = await acceptance.file("a.jpg")
    await file.write(JPEG)
    await file.close()
    await acceptance.commit(recipe=DEFAULT)
    await parts.intake.close()
    return Job(file.image_id, 1)


async def flush(parts: Parts) -> None:
    async with Redis.from_url(parts.queue.url) as client:
        await client.flushall()


@pytest.mark.parametrize("paused", [True, False])
async def test_a_queue_that_was_emptied_knows_what_waits_and_whether_it_is_paused(
    parts: Parts, reconciler: Reconciler, paused: bool
) -> None:
    job = await waiting(parts)
    await reconciler.round()
    await switches.turn(parts.database, switches.PAUSED, on=True)
    await switches.turn(parts.database, switches.PAUSED, on=paused)
    await flush(parts)
    assert (await parts.queue.paused(), await parts.queue.known([job])) == (False, [False])
    await reconciler.round()
    assert (await parts.queue.paused(), await parts.queue.known([job])) == (paused, [True])


async def test_who_resumes_by_another_tool_is_not_overruled(parts: Parts, reconciler: Reconciler) -> None:
    await reconciler.round()
    await parts.queue.pause()
    await switches.turn(parts.database, switches.PAUSED, on=True)
    await parts.queue.resume()
    await reconciler.round()
    assert not await parts.queue.paused()


async def test_what_could_not_be_given_back_is_in_the_next_round(
    parts: Parts, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise PixelmillError("unavailable")

    await switches.turn(parts.database, switches.PAUSED, on=True)
    with monkeypatch.context() as broken, pytest.raises(PixelmillError):
        broken.setattr(parts.queue, "pause", away)
        await reconciler.round()
    await reconciler.round()
    assert await parts.queue.paused()
