"""Jobs that other BullMQ clients add: one batch each, whoever takes them, however often."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pixelmill.imaging import Decoders, Limits
from pixelmill.pipeline import Adopter, Millhand
from pixelmill.queue import Done, Foreign, Later
from pixelmill.recipes import load_presets
from pixelmill.records import batches
from tests.integration.pipeline.conftest import Parts


@pytest.fixture
def adopter(parts: Parts) -> Adopter:
    decoders = Decoders(1, Limits())  # never started: nothing here gets as far as that
    millhand = Millhand(parts.database, parts.storage, parts.queue, decoders, parts.settings, presence=parts.presence)
    return Adopter(parts.intake, millhand, load_presets())


def order(key: str, *, retried: bool = False, added: int = 1_700_000_000_000) -> Foreign:
    return Foreign("7", {"key": key, "preset": "thumbnail"}, retried=retried, added=added)


async def test_workers_that_take_it_at_once_make_one_batch(parts: Parts, adopter: Adopter) -> None:
    outcomes = await asyncio.gather(*(adopter(order("none.jpg")) for _ in range(5)))
    # The source is not there: who has the batch fails it for good, and the others look again later.
    assert any("source-refused" in getattr(one, "reason", "") for one in outcomes), outcomes
    assert all(isinstance(one, Later) or "source-refused" in getattr(one, "reason", "") for one in outcomes), outcomes
    found, _ = await batches.page(parts.database)
    assert len(found) == 1
    assert found[0].id.startswith("018bcfe5-6800-7")  # the time it was added, so that it sorts among the others


async def test_an_answer_is_known_as_long_as_the_batch_is(parts: Parts, adopter: Adopter, photo: Path) -> None:
    await adopter(order("none.jpg"))
    again = await adopter(order("none.jpg"))
    assert not isinstance(again, Done | Later) and "source-refused" in again.reason
    await adopter(order("none.jpg", added=1_700_000_000_001))  # the id is used again for another job
    assert len((await batches.page(parts.database))[0]) == 2
