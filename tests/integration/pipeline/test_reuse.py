"""Nothing is made twice of the same bytes, and deleting a batch never takes what another one uses."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

import pytest
from PIL import Image as Pillow
from sqlalchemy import update

from pixelmill.imaging import Decoders, Result
from pixelmill.pipeline import Millhand, Retainer, dead_letters
from pixelmill.pipeline import work as chapter
from pixelmill.pipeline.reconcile import Reconciler
from pixelmill.queue import Done, Job
from pixelmill.recipes import Recipe, parse_recipe
from pixelmill.records import events, images, known
from pixelmill.records.claims import Claim
from pixelmill.records.keys import By
from pixelmill.records.models import Image, State
from pixelmill.records.tables import batches
from tests.integration.pipeline.conftest import Parts

SMALL = {"name": "small", "steps": [{"op": "resize", "width": 20}], "output": {"format": "jpeg"}}
GREY = {"name": "grey", "steps": [{"op": "grayscale"}], "output": {"format": "png"}}
HUGE = {"name": "huge", "steps": [{"op": "resize", "width": 9000, "enlarge": True}], "output": {"format": "jpeg"}}


def recipe(*variants: dict[str, Any], facts: bool = True) -> Recipe:
    return parse_recipe({"variants": variants or [SMALL, GREY], "facts": facts})


def picture(shade: int = 0) -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", (60, 40), (shade, 90, 160)).save(file, "JPEG")
    return file.getvalue()


class Counting:
    """Decoders that tell what they were asked to make."""

    def __init__(self, decoders: Decoders) -> None:
        self.decoders = decoders
        self.asked: list[tuple[str, ...]] = []

    def make(
        self, source: BinaryIO, recipe: Recipe, variants: Sequence[str], **more: Any
    ) -> AsyncGenerator[Result, None]:
        self.asked.append(tuple(variants))
        return self.decoders.make(source, recipe, variants, **more)


class Mill:
    def __init__(self, parts: Parts, decoders: Decoders) -> None:
        self.parts = parts
        self.decoders = Counting(decoders)

    def hand(self, **settings: Any) -> Millhand:
        parts = self.parts
        its = parts.settings.model_copy(update=settings)
        decoders: Any = self.decoders
        return Millhand(parts.database, parts.storage, parts.queue, decoders, its, presence=parts.presence)

    async def accept(self, data: bytes, what: Recipe, owner: str = "me") -> str:
        acceptance = await self.parts.intake.begin(owner=owner)
        file = await acceptance.file("photo.jpg")
        await file.write(data)
        await file.close()
        await acceptance.commit(recipe=what)
        await self.parts.intake.close()  # the queue is told beside it
        return file.image_id

    async def look(self, image_id: str) -> Image:
        found = await images.find(self.parts.database, image_id)
        assert found
        return found

    async def done(
        self, data: bytes | None = None, what: Recipe | None = None, owner: str = "me", **settings: Any
    ) -> Image:
        """A photo that was worked on."""
        image_id = await self.accept(data or picture(), what or recipe(), owner)
        await self.hand(**settings)(Job(image_id, 1))
        return await self.look(image_id)

    async def bytes_of(self, image: Image) -> dict[str, bytes]:
        found = {}
        for one in image.variants:
            if one.key:
                found[one.name] = b"".join([chunk async for chunk in self.parts.storage.read(one.key)])
                assert len(found[one.name]) == one.bytes
        return found

    def results(self) -> list[str]:
        return [name for name in self.parts.files() if name.startswith("processed/")]

    def retainer(self, days: float = 0) -> Retainer:
        parts = self.parts
        return Retainer(
            parts.database, parts.storage, parts.settings, clock=lambda: datetime.now(UTC) + timedelta(days=days)
        )

    async def purge(self, image: Image) -> None:
        await self.retainer().purge(self.parts.queue, image.batch_id, by=By())


@pytest.fixture(scope="module")
async def decoders() -> AsyncIterator[Decoders]:
    async with Decoders(2) as pool:
        yield pool


@pytest.fixture
def mill(parts: Parts, decoders: Decoders) -> Mill:
    return Mill(parts, decoders)


async def test_the_same_bytes_are_decoded_once(mill: Mill) -> None:
    first = await mill.done()
    second = await mill.done()
    assert mill.decoders.asked == [("small", "grey")]
    assert len(mill.results()) == 2
    assert second.state is State.COMPLETED
    assert await mill.bytes_of(second) == await mill.bytes_of(first)
    assert (second.format, second.width, second.height) == ("jpeg", 60, 40)
    assert second.facts == first.facts != {}
    assert [one.facts for one in second.variants] == [one.facts for one in first.variants]
    log = await events.after(mill.parts.database, second.batch_id, 0)
    assert [(one.event, one.variant, one.data.get("reused")) for one in log] == [
        ("batch.accepted", None, None),
        ("image.started", None, None),
        ("variant.completed", "small", True),
        ("variant.completed", "grey", True),
        ("image.completed", None, None),
        ("batch.completed", None, None),
    ]


async def test_only_what_is_missing_is_made(mill: Mill) -> None:
    await mill.done(what=recipe(SMALL))
    image = await mill.done(what=recipe(GREY, SMALL | {"name": "other-name"}))
    assert mill.decoders.asked == [("small",), ("grey",)]
    assert image.state is State.COMPLETED
    assert {*await mill.bytes_of(image)} == {"grey", "other-name"}
    again = await mill.done(what=recipe(GREY, SMALL))
    assert len(mill.decoders.asked) == 2
    assert again.state is State.COMPLETED
    assert len(mill.results()) == 2


async def test_what_differs_is_made_anew(mill: Mill, monkeypatch: pytest.MonkeyPatch) -> None:
    small = recipe(SMALL)
    await mill.done(what=small)
    await mill.done(picture(1), small)
    await mill.done(what=recipe(SMALL | {"steps": [{"op": "resize", "width": 21}]}))
    await mill.done(what=recipe(SMALL, facts=False))
    await mill.done(what=small, owner="you")
    await mill.done(what=small, reuse=False)
    monkeypatch.setattr(chapter, "engine_version", lambda: "the next version")
    await mill.done(what=small)
    assert mill.decoders.asked == [("small",)] * 7
    assert len(mill.results()) == 7


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)], ids=str)
async def test_bytes_stay_until_the_last_that_uses_them_is_deleted(mill: Mill, order: tuple[int, ...]) -> None:
    """Whoever goes first: the one that they were made for, or one of those that borrow them."""
    batch = [await mill.done() for _ in range(3)]
    before = await mill.bytes_of(batch[0])
    for number, gone in enumerate(order):
        assert len(mill.results()) == 2
        await mill.purge(batch[gone])
        for left in order[number + 1 :]:
            assert await mill.bytes_of(await mill.look(batch[left].id)) == before
        if number == 0:
            again = await mill.done()  # it can still be borrowed from
            assert len(mill.decoders.asked) == 1
            await mill.purge(again)
    assert mill.parts.files() == []
    assert await known.loose_keys(mill.parts.database) == []


async def test_retention_of_one_batch_keeps_what_a_later_one_uses(mill: Mill) -> None:
    first = await mill.done()
    await mill.retainer(20).round()  # its original is deleted, its results have ten days
    second = await mill.done()
    third = await mill.done()
    assert len(mill.decoders.asked) == 1
    async with mill.parts.database.write() as tx:
        late = datetime.now(UTC) + timedelta(days=20)
        its = batches.c.id.in_([second.batch_id, third.batch_id])
        await tx.execute(update(batches).where(its).values(results_until=late))
    await mill.retainer(19).round()
    assert len(mill.results()) == 2
    await mill.retainer(30.1).round()
    assert mill.results() == []
    assert await images.find(mill.parts.database, first.id) is None


async def test_results_that_are_being_deleted_are_not_used(mill: Mill, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleted after they were found, in the moment before they are taken over."""
    first = await mill.done()
    real = chapter.reuse

    async def late(*arguments: Any) -> Claim:
        await mill.purge(first)
        return await real(*arguments)

    monkeypatch.setattr(chapter, "reuse", late)
    second = await mill.done()
    assert len(mill.decoders.asked) == 2
    assert second.state is State.COMPLETED
    assert len(await mill.bytes_of(second)) == 2
    assert len(mill.results()) == 2


async def test_results_that_storage_lost_are_made_anew_and_then_known(mill: Mill) -> None:
    await mill.done()
    await mill.parts.storage.delete_prefix("processed/")
    second = await mill.done()
    third = await mill.done()
    assert len(mill.decoders.asked) == 2
    assert await mill.bytes_of(third) == await mill.bytes_of(second)
    assert all((await mill.bytes_of(third)).values())


async def test_a_purged_dead_letter_leaves_what_another_uses(mill: Mill) -> None:
    first = await mill.done(what=recipe(SMALL, HUGE))
    assert first.state is State.FAILED
    second = await mill.done(what=recipe(SMALL, HUGE))
    assert mill.decoders.asked == [("small", "huge"), ("huge",)]
    third = await mill.done(what=recipe(SMALL))
    parts = mill.parts
    await dead_letters.purge(parts.database, parts.storage, parts.queue, first.id, by=By())
    assert len(await mill.bytes_of(await mill.look(third.id))) == 1
    settings = parts.settings.model_copy(update={"image_seconds": -60.0, "lease_seconds": 0.0})  # the deadline is over
    await Reconciler(parts.database, parts.storage, parts.queue, settings, presence=parts.presence).sweep_tries()
    assert len(await mill.bytes_of(await mill.look(third.id))) == 1
    await dead_letters.purge(parts.database, parts.storage, parts.queue, second.id, by=By())
    assert len(mill.results()) == 1
    await mill.purge(third)
    assert mill.results() == []


async def test_nothing_is_lost_or_left_when_work_and_deletion_race(mill: Mill) -> None:
    """Many workers on the same photo while batches are purged, some of them those that the others borrow from."""
    ids = [await mill.accept(picture(), recipe(SMALL)) for _ in range(16)]
    hands = [mill.hand() for _ in range(4)]

    async def work_on(number: int) -> None:
        for image_id in ids[number::4]:
            assert isinstance(await hands[number](Job(image_id, 1)), Done)
            if ids.index(image_id) % 3 == 0:
                await mill.purge(await mill.look(image_id))

    await asyncio.gather(*(work_on(number) for number in range(4)))
    left = [image for image_id in ids if (image := await images.find(mill.parts.database, image_id))]
    assert len(left) == 10
    for image in left:
        assert image.state is State.COMPLETED
        assert len(await mill.bytes_of(image)) == 1
    await asyncio.gather(*(mill.purge(image) for image in left))
    await mill.retainer().round()
    assert mill.parts.files() == []
