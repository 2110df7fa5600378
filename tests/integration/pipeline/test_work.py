"""A worker on real photographs: claim, decode, store, record, end."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from pixelmill.imaging import Decoders, Limits
from pixelmill.pipeline import Millhand, Presence, Reconciler
from pixelmill.pipeline.ending import replay
from pixelmill.pipeline.presence import bury
from pixelmill.queue import Done, Failed, Job, Later
from pixelmill.recipes import load_presets, parse_recipe
from pixelmill.records import batches, images, processes, work
from pixelmill.records.claims import Claim
from pixelmill.records.models import Batch, BatchStatus, Image, State
from tests.integration.pipeline.conftest import Parts
from tests.integration.pipeline.test_accept import send

PRESETS = load_presets()


@pytest.fixture(scope="module")
async def decoders() -> AsyncIterator[Decoders]:
    pool = Decoders(2, Limits(seconds=60, max_output_pixels=20_000_000))
    await pool.start()
    yield pool
    await pool.close()


def hire(parts: Parts, decoders: Decoders) -> Millhand:
    return Millhand(parts.database, parts.storage, parts.queue, decoders, parts.settings, presence=parts.presence)


@pytest.fixture
def millhand(parts: Parts, decoders: Decoders) -> Millhand:
    return hire(parts, decoders)


async def accept(parts: Parts, *files: bytes, preset: str = "default") -> tuple[str, list[str]]:
    acceptance = await parts.intake.begin()
    ids = [(await send(acceptance, "photo.jpg", data)).image_id for data in files]
    accepted = await acceptance.commit(recipe=PRESETS[preset].recipe, preset=preset)
    await parts.intake.close()
    return accepted.batch_id, ids


def size(data: bytes) -> tuple[int, int]:
    with Pillow.open(io.BytesIO(data)) as image:
        return image.size


async def look(parts: Parts, image_id: str) -> Image:
    found = await images.find(parts.database, image_id)
    assert found
    return found


async def batch(parts: Parts, batch_id: str) -> Batch:
    found = await batches.find(parts.database, batch_id)
    assert found
    return found


async def test_a_photo_becomes_every_variant_of_its_preset(parts: Parts, millhand: Millhand, photo: Path) -> None:
    batch_id, [image_id] = await accept(parts, photo.read_bytes(), preset="instagram")
    assert await millhand(Job(image_id, 1)) == Done({"imageId": image_id, "batchId": batch_id})

    image = await look(parts, image_id)
    assert (image.state, image.width, image.height) == (State.COMPLETED, *size(photo.read_bytes()))
    assert (await batch(parts, batch_id)).status is BatchStatus.COMPLETED
    assert [variant.name for variant in image.variants] == [v.name for v in PRESETS["instagram"].recipe.variants]
    for variant in image.variants:
        assert variant.key
        data = b"".join([chunk async for chunk in parts.storage.read(variant.key)])
        assert len(data) == variant.bytes
        assert size(data) == (variant.width, variant.height)
    assert len(parts.files()) == 1 + len(image.variants)
    # The same job once more: there is nothing left to do.
    assert await millhand(Job(image_id, 1)) == Done()


async def test_a_truncated_photo_is_a_dead_letter_at_once_and_leaves_no_result(
    parts: Parts, millhand: Millhand, photo: Path, decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, decode = [], decoders.make

    def counted(*given: Any, **more: Any) -> Any:
        decoded.append(given)
        return decode(*given, **more)

    monkeypatch.setattr(decoders, "make", counted)
    data = photo.read_bytes()
    batch_id, [bad, good] = await accept(parts, data[: len(data) // 2], data)
    assert isinstance(await millhand(Job(bad, 1)), Failed)
    assert await parts.queue.known([Job(bad, 2)]) == [False]
    for generation in (1, 2):  # a job that was left over, and one that nobody should have queued
        assert await millhand(Job(bad, generation)) == Done()
    assert len(decoded) == 1
    assert isinstance(await millhand(Job(good, 1)), Done)
    image = await look(parts, bad)
    assert (image.state, image.error_code, image.tries) == (State.FAILED, "corrupt-image", 1)
    assert (await batch(parts, batch_id)).status is BatchStatus.COMPLETED_WITH_ERRORS
    [attempt] = await images.attempts(parts.database, bad)
    assert attempt.outcome == "failed"


async def test_lost_bytes_are_tried_again_and_then_a_dead_letter_that_can_be_replayed(
    parts: Parts, millhand: Millhand, photo: Path
) -> None:
    batch_id, [image_id] = await accept(parts, photo.read_bytes())
    original = parts.folder / "originals" / batch_id / image_id
    away = original.with_suffix(".away")
    original.rename(away)
    for generation in range(1, parts.settings.tries + 1):
        outcome = await again(millhand, Job(image_id, generation))
        assert isinstance(outcome, Failed if generation == parts.settings.tries else Done)
    image = await look(parts, image_id)
    assert (image.state, image.error_code) == (State.FAILED, "storage-unavailable")
    assert [one.outcome for one in await images.attempts(parts.database, image_id)] == ["retrying"] * 2 + ["failed"]
    assert "FileNotFoundError" in ((await images.attempts(parts.database, image_id))[2].traceback or "")

    away.rename(original)
    await replay(parts.database, parts.queue, image_id)
    image = await look(parts, image_id)
    assert await parts.queue.known([Job(image_id, image.generation)]) == [True]
    assert isinstance(await millhand(Job(image_id, image.generation)), Done)
    assert (await batch(parts, batch_id)).status is BatchStatus.COMPLETED


async def again(millhand: Millhand, job: Job) -> Done | Later | Failed:
    """The job, as often as it comes too early."""
    while isinstance(outcome := await millhand(job), Later):
        await asyncio.sleep(0.01)
    return outcome


async def test_what_is_abandoned_is_handed_back_at_once(parts: Parts, millhand: Millhand, photo: Path) -> None:
    _, [image_id] = await accept(parts, photo.read_bytes(), preset="social" if "social" in PRESETS else "instagram")
    task = asyncio.create_task(millhand(Job(image_id, 1)))
    while (await look(parts, image_id)).state is not State.ACTIVE:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    image = await look(parts, image_id)
    assert (image.state, image.generation, image.tries) == (State.WAITING, 2, 0)
    assert await parts.queue.known([Job(image_id, 2)]) == [True]
    assert isinstance(await millhand(Job(image_id, 2)), Done)


async def test_a_frozen_worker_loses_its_image_and_its_late_results_are_dropped_and_swept(
    parts: Parts, decoders: Decoders, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id, [image_id] = await accept(parts, photo.read_bytes())
    reached, go = asyncio.Event(), asyncio.Event()
    put = parts.storage.put

    async def frozen_put(key: str, data: bytes | memoryview) -> None:
        reached.set()
        await go.wait()
        await put(key, data)

    monkeypatch.setattr(parts.storage, "put", frozen_put)
    late = asyncio.create_task(hire(parts, decoders)(Job(image_id, 1)))
    await reached.wait()
    await bury(parts.database, parts.presence.id)  # as the reconciler does when the beat stands still
    monkeypatch.setattr(parts.storage, "put", put)
    await parts.presence.enter()
    assert isinstance(await hire(parts, decoders)(Job(image_id, 2)), Done)
    assert (await batch(parts, batch_id)).status is BatchStatus.COMPLETED

    go.set()
    assert await late == Done()
    results = [name for name in parts.files() if name.startswith("processed/")]
    assert len(results) == 2
    settings = parts.settings.model_copy(update={"image_seconds": 0.0, "lease_seconds": 0.0})
    await Reconciler(parts.database, parts.storage, parts.queue, settings, presence=parts.presence).sweep_tries()
    image = await look(parts, image_id)
    assert [name for name in parts.files() if name.startswith("processed/")] == [image.variants[0].key]


async def test_an_impossible_variant_fails_and_its_siblings_are_done(
    parts: Parts, millhand: Millhand, photo: Path
) -> None:
    recipe = parse_recipe(
        {
            "variants": [
                {"name": "small", "steps": [{"op": "resize", "width": 100}], "output": {"format": "jpeg"}},
                {
                    "name": "huge",
                    "steps": [{"op": "resize", "width": 8000, "enlarge": True}],
                    "output": {"format": "jpeg"},
                },
            ]
        }
    )
    acceptance = await parts.intake.begin()
    image_id = (await send(acceptance, "photo.jpg", photo.read_bytes())).image_id
    await acceptance.commit(recipe=recipe)
    await millhand(Job(image_id, 1))
    image = await look(parts, image_id)
    assert image.state is State.FAILED
    assert [variant.state for variant in image.variants] == [State.COMPLETED, State.FAILED]
    assert image.error_code == image.variants[1].error_code == "output-too-large"


async def test_what_a_buried_process_took_before_it_knew_is_taken_back(parts: Parts, photo: Path) -> None:
    # Frozen, taken for dead, awake again: it claims under an id that nobody watches any more, and then really dies.
    batch_id, [image_id] = await accept(parts, photo.read_bytes())
    await bury(parts.database, parts.presence.id)
    held = await work.claim(parts.database, image_id, 1, token="late", process_id=parts.presence.id, worker="w")
    assert isinstance(held, Claim)

    judge = Presence(parts.database, parts.settings, "worker")
    await judge.enter()
    await Reconciler(parts.database, parts.storage, parts.queue, parts.settings, presence=judge).round()
    image = await look(parts, image_id)
    assert (image.state, image.generation) == (State.WAITING, 2)
    assert (await batch(parts, batch_id)).counts.active == 0
    assert await parts.queue.known([Job(image_id, 2)]) == [True]


async def test_two_of_one_slot_do_not_bury_each_other_in_turns(parts: Parts) -> None:
    # As two machines do that were made from one image, with one data folder, on one database.
    settings = parts.settings.model_copy(update={"slot": "same"})
    first, second = (Presence(parts.database, settings, "worker") for _ in range(2))
    await first.enter()
    await second.enter()
    for _ in range(2):
        await first._beat()
        await second._beat()
    ids = (first.id, second.id)
    await first._beat()
    await second._beat()
    assert (first.id, second.id) == ids
    assert set(ids) <= set(await processes.beats(parts.database))


class Deadly(Decoders):
    """A pool in which every image ends its decoder, before it could be done."""

    async def _take(self, urgent: bool) -> Any:
        home, child = await super()._take(urgent)
        os.kill(child.process.pid, signal.SIGSEGV)
        return home, child


async def test_an_image_that_ends_its_decoder_twice_is_poison(parts: Parts, photo: Path) -> None:
    batch_id, [image_id] = await accept(parts, photo.read_bytes())
    async with Deadly(1, Limits(seconds=60)) as decoders:
        millhand = hire(parts, decoders)
        assert await millhand(Job(image_id, 1)) == Done({"retry": 2})
        await asyncio.sleep(parts.settings.retry_seconds)  # its second try is not due before
        ended = await millhand(Job(image_id, 2))
    assert isinstance(ended, Failed)
    image = await look(parts, image_id)
    assert (image.state, image.error_code) == (State.FAILED, "poison-image")
    assert (await batch(parts, batch_id)).status is BatchStatus.COMPLETED_WITH_ERRORS
