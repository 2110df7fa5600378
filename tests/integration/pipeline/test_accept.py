from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from pixelmill.errors import PixelmillError
from pixelmill.pipeline import Acceptance, Receiving
from pixelmill.pipeline.reconcile import Reconciler
from pixelmill.queue import Job, Queue
from pixelmill.recipes import load_presets
from pixelmill.records import batches, events, images, intents, processes, tables
from pixelmill.records.models import State
from tests.integration.pipeline.conftest import Parts

DEFAULT = load_presets()["default"].recipe
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"


async def send(acceptance: Acceptance, name: str, data: bytes, piece: int = 65536) -> Receiving:
    file = await acceptance.file(name)
    for start in range(0, len(data), piece):
        await file.write(data[start : start + piece])
    await file.close()
    return file


async def test_what_was_sent_is_a_batch_in_the_record_and_jobs_in_the_queue(parts: Parts, photo: Path) -> None:
    data = photo.read_bytes()
    acceptance = await parts.intake.begin()
    file = await send(acceptance, "../../photo\n.jpg", data)
    await send(acceptance, "", JPEG)
    accepted = await acceptance.commit(recipe=DEFAULT, preset="default", metadata={"order": 7}, priority=3)

    await parts.intake.close()

    assert accepted.total == 2
    batch = await batches.find(parts.database, accepted.batch_id)
    assert batch
    assert (batch.preset, batch.metadata, batch.priority) == ("default", {"order": 7}, 3)
    first, second = await images.of_batch(parts.database, accepted.batch_id)
    assert (first.original_name, second.original_name) == ("photo.jpg", "unnamed")
    assert (first.bytes, first.sha256, first.format) == (len(data), hashlib.sha256(data).hexdigest(), "jpeg")
    assert first.key
    assert b"".join([chunk async for chunk in parts.storage.read(first.key)]) == data
    assert await parts.queue.known([Job(file.image_id, 1), Job(second.id, 1)]) == [True, True]
    assert [event.event for event in await events.after(parts.database, accepted.batch_id, 0)] == ["batch.accepted"]
    assert await intents.orphans(parts.database, tables.now()) == []
    await acceptance.abandon()  # too late: it is a batch now
    assert len(parts.files()) == 2


async def test_a_refused_file_fails_beside_the_good_ones_and_leaves_no_byte(parts: Parts) -> None:
    acceptance = await parts.intake.begin()
    await send(acceptance, "text.jpg", b"hello " * 1000)
    await send(acceptance, "empty.jpg", b"")
    await send(acceptance, "large.jpg", JPEG + os.urandom(4_000_000))
    await send(acceptance, "good.jpg", JPEG + b"...")
    accepted = await acceptance.commit(recipe=DEFAULT)

    found = await images.of_batch(parts.database, accepted.batch_id)
    assert [(image.state, image.error_code) for image in found] == [
        (State.FAILED, "unsupported-format"),
        (State.FAILED, "empty-file"),
        (State.FAILED, "too-large"),
        (State.WAITING, None),
    ]
    assert parts.files() == [f"originals/{accepted.batch_id}/{found[3].id}"]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([], "no-files"),
        ([b""], "empty-file"),
        ([b"text", b"more text"], "unsupported-format"),
        ([JPEG + bytes(4_000_000)], "too-large"),
        ([b"", b"text"], "nothing-acceptable"),
    ],
)
async def test_a_request_with_nothing_acceptable_is_refused_whole(parts: Parts, files: list[bytes], code: str) -> None:
    acceptance = await parts.intake.begin()
    for data in files:
        await send(acceptance, "file.jpg", data)
    with pytest.raises(PixelmillError) as caught:
        await acceptance.commit(recipe=DEFAULT)
    assert caught.value.code == code
    assert len(caught.value.extra.get("files", [])) == len(files)
    assert parts.files() == []
    assert await batches.find(parts.database, acceptance.batch_id) is None


async def test_one_file_too_many_is_refused_and_abandoning_leaves_nothing(parts: Parts) -> None:
    acceptance = await parts.intake.begin()
    for _ in range(parts.settings.max_files):
        await send(acceptance, "a.jpg", JPEG)
    with pytest.raises(PixelmillError, match="too-many-files"):
        await acceptance.file("b.jpg")
    await acceptance.abandon()
    assert parts.files() == []


async def test_a_broken_off_request_leaves_nothing_also_when_its_task_is_canceled(parts: Parts) -> None:
    acceptance = await parts.intake.begin()
    arrived = asyncio.Event()

    async def receive() -> None:
        try:
            file = await acceptance.file("a.jpg")
            await file.write(JPEG + os.urandom(2_000_000))
            arrived.set()
            await asyncio.sleep(60)
        finally:
            await acceptance.abandon()

    task = asyncio.create_task(receive())
    await arrived.wait()
    assert parts.files()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert parts.files() == []


async def test_the_sweep_deletes_what_a_dead_process_was_receiving(parts: Parts) -> None:
    acceptance = await parts.intake.begin()
    file = await acceptance.file("a.jpg")
    await file.write(JPEG + os.urandom(2_000_000))
    reconciler = Reconciler(parts.database, parts.storage, parts.queue, parts.settings, presence=parts.presence)
    await reconciler.sweep_requests()
    assert parts.files()  # its process lives
    await processes.forget(parts.database, parts.presence.id)
    await reconciler.sweep_requests()
    assert parts.files() == []
    with pytest.raises(PixelmillError, match="unavailable"):
        await acceptance.commit(recipe=DEFAULT)


async def test_what_a_request_could_not_clean_up_itself_is_swept(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(prefix: str) -> int:
        raise OSError("the store is away")

    acceptance = await parts.intake.begin()
    await send(acceptance, "a.jpg", JPEG + b"...")
    with monkeypatch.context() as broken:
        broken.setattr(parts.storage, "delete_prefix", away)
        await acceptance.abandon()
    assert parts.files()
    reconciler = Reconciler(parts.database, parts.storage, parts.queue, parts.settings, presence=parts.presence)
    await reconciler.sweep_requests()  # its process lives
    assert parts.files() == []
    assert await intents.orphans(parts.database, tables.now()) == []


async def test_it_is_accepted_while_the_queue_is_down_and_queued_when_it_is_back(parts: Parts) -> None:
    away = Queue("redis://127.0.0.1:1/0")
    intake = parts.intake
    intake.queue = away
    acceptance = await intake.begin()
    file = await send(acceptance, "a.jpg", JPEG)
    await acceptance.commit(recipe=DEFAULT)
    await intake.close()
    await away.close()
    assert await parts.queue.known([Job(file.image_id, 1)]) == [False]
    reconciler = Reconciler(parts.database, parts.storage, parts.queue, parts.settings, presence=parts.presence)
    await reconciler.round()
    assert await parts.queue.known([Job(file.image_id, 1)]) == [True]


async def test_a_lost_answer_of_the_record_costs_no_bytes(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    accept = intents.accept

    async def cut(*arguments: Any, **named: Any) -> bool:
        assert await accept(*arguments, **named)
        raise PixelmillError("unavailable", "The database closed the connection; try again.")

    monkeypatch.setattr(intents, "accept", cut)
    acceptance = await parts.intake.begin()
    file = await send(acceptance, "a.jpg", JPEG + b"...")
    with pytest.raises(PixelmillError):
        await acceptance.commit(recipe=DEFAULT)
    # It is a batch: what it is made of has to stay.
    image = await images.find(parts.database, file.image_id)
    assert image
    assert image.state is State.WAITING
    assert parts.files() == [image.key]
