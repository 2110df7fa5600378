"""The life of an image in the record, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from pixelmill.errors import PixelmillError
from pixelmill.records import (
    Database,
    batches,
    ending,
    events,
    giving_back,
    images,
    intents,
    processes,
    tables,
    waiting,
    work,
)
from pixelmill.records.claims import Claim, Failure, Fenced, LostVariant, MadeVariant, Refusal, Report
from pixelmill.records.intents import NewBatch, NewImage
from pixelmill.records.models import BatchStatus, State

#: Before any request of a test.
EARLIER = datetime(2001, 1, 1, tzinfo=UTC)
RECIPE = {"variants": [{"name": "a", "steps": []}, {"name": "b", "steps": []}]}


def image(name: str, error_code: str | None = None) -> NewImage:
    key = None if error_code else f"originals/batch/{name}"
    return NewImage(name, f"{name}.jpg", key, 1000, None, "jpeg", error_code, error_code and "It is bad.")


async def accept(db: Database, *new: NewImage, batch_id: str = "batch") -> bool:
    await intents.begin(db, batch_id, "api")
    batch = NewBatch(batch_id, "", None, RECIPE, ["a", "b"], {"order": 7}, None, 0, new)
    return await intents.accept(db, batch)


async def claim(db: Database, image_id: str, generation: int = 1, process_id: str = "worker") -> Claim:
    held = await work.claim(
        db, image_id, generation, token=f"{image_id}-{generation}-{process_id}", process_id=process_id, worker="here:1"
    )
    assert isinstance(held, Claim), held
    return held


def made(*names: str) -> list[MadeVariant]:
    return [MadeVariant(name, f"key-{name}", "jpeg", "image/jpeg", 5, 4, 100, 80, 0.1, {}) for name in names]


async def told(db: Database, batch_id: str = "batch") -> list[str]:
    """The names of the events, after checking that their numbers have no gap."""
    found = await events.after(db, batch_id, 0)
    assert [event.seq for event in found] == [*range(1, len(found) + 1)]
    return [event.event for event in found]


async def counts(db: Database) -> tuple[BatchStatus, Sequence[int]]:
    """Status and counters (completed, failed, active, waiting, canceled), after checking them against the rows."""
    batch = await batches.find(db, "batch")
    assert batch
    of = batch.counts
    numbers = [of.completed, of.failed, of.active, of.waiting, of.canceled]
    states = [image.state for image in await images.of_batch(db, "batch")]
    assert numbers == [
        states.count(state) for state in (State.COMPLETED, State.FAILED, State.ACTIVE, State.WAITING, State.CANCELED)
    ]
    assert of.total == len(states)
    return batch.status, numbers


async def test_an_image_from_acceptance_to_its_end(db: Database) -> None:
    assert await accept(db, image("one"), image("two"))
    assert await counts(db) == (BatchStatus.WAITING, [0, 0, 0, 2, 0])

    held = await claim(db, "one")
    assert held.missing == ("a", "b")
    assert await counts(db) == (BatchStatus.PROCESSING, [0, 0, 1, 1, 0])
    await work.record(db, held, Report(made=made("a")))
    first = await images.find(db, "one")
    assert first
    assert [variant.state for variant in first.variants] == [State.COMPLETED, State.WAITING]
    assert await work.complete(db, held, Report(made=made("b"), timings={"total": 1.5})) is BatchStatus.PROCESSING
    assert await counts(db) == (BatchStatus.PROCESSING, [1, 0, 0, 1, 0])

    assert await work.complete(db, await claim(db, "two"), Report(made=made("a", "b"))) is BatchStatus.COMPLETED
    assert await told(db) == [
        "batch.accepted",
        "image.started",
        "variant.completed",
        "variant.completed",
        "image.completed",
        "image.started",
        "variant.completed",
        "variant.completed",
        "image.completed",
        "batch.completed",
    ]
    first = await images.find(db, "one")
    assert first
    assert (first.timings, first.tries, first.variants[1].key) == ({"total": 1.5}, 1, "key-b")
    assert [attempt.outcome for attempt in await images.attempts(db, "one")] == ["completed"]


async def test_a_file_refused_at_the_door_fails_and_the_others_are_done(db: Database) -> None:
    await accept(db, image("bad", "empty-file"), image("good"))
    assert await counts(db) == (BatchStatus.WAITING, [0, 1, 0, 1, 0])
    status = await work.complete(db, await claim(db, "good"), Report(made=made("a", "b")))
    assert status is BatchStatus.COMPLETED_WITH_ERRORS


async def test_an_intent_is_accepted_or_swept_never_both(db: Database) -> None:
    await intents.begin(db, "batch", "a process that is not known")
    assert await intents.orphans(db, EARLIER) == ["batch"]
    assert await intents.orphans(db, EARLIER) == ["batch"]  # a sweep that died is done again
    batch = NewBatch("batch", "", None, RECIPE, ["a"], {}, None, 0, [image("one")])
    assert not await intents.accept(db, batch)
    assert await batches.find(db, "batch") is None
    await intents.forget(db, "batch")
    assert await intents.orphans(db, EARLIER) == []


async def test_an_intent_of_a_living_process_is_left_alone(db: Database) -> None:
    await processes.register(db, "api", kind="api", slot=None, host="here", pid=1, version="1")
    await intents.begin(db, "batch", "api")
    assert await intents.orphans(db, EARLIER) == []


async def test_an_intent_of_a_living_process_is_taken_when_it_is_given_up_or_too_old(db: Database) -> None:
    await processes.register(db, "api", kind="api", slot=None, host="here", pid=1, version="1")
    await intents.begin(db, "given-up", "api")
    await intents.begin(db, "running", "api")
    assert await intents.give_up(db, "given-up")  # and then its clean-up failed
    assert await intents.orphans(db, EARLIER) == ["given-up"]
    assert sorted(await intents.orphans(db, tables.now() + timedelta(seconds=1))) == ["given-up", "running"]
    assert not await intents.accept(db, NewBatch("running", "", None, RECIPE, ["a"], {}, None, 0, [image("one")]))


async def test_only_what_waits_can_be_claimed(db: Database) -> None:
    async def refusal(image_id: str, generation: int) -> Claim | Refusal:
        return await work.claim(db, image_id, generation, token="t", process_id="other", worker="there:2")

    await accept(db, image("one"))
    assert await refusal("never seen", 1) is Refusal.GONE
    assert await refusal("one", 2) is Refusal.GONE
    held = await claim(db, "one")
    assert await refusal("one", 1) is Refusal.BUSY
    await work.fail(db, held, Failure("timeout", "It took long.", delay=60), Report())
    assert await refusal("one", 1) is Refusal.GONE
    assert await refusal("one", 2) is Refusal.EARLY


async def test_of_many_who_claim_one_gets_it(db: Database) -> None:
    await accept(db, image("one"))
    tries = [work.claim(db, "one", 1, token=f"t{number}", process_id="p", worker="w") for number in range(8)]
    got = await asyncio.gather(*tries)
    assert sum(isinstance(held, Claim) for held in got) == 1
    assert sum(held is Refusal.BUSY for held in got) == 7


async def test_last_images_that_end_at_once_end_the_batch_once(db: Database) -> None:
    names = [f"image{number}" for number in range(8)]
    await accept(db, *(image(name) for name in names))
    held = await asyncio.gather(*(claim(db, name) for name in names))
    ends = await asyncio.gather(*(work.complete(db, one, Report(made=made("a", "b"))) for one in held))
    assert ends.count(BatchStatus.COMPLETED) == 1
    assert (await told(db)).count("batch.completed") == 1
    assert await counts(db) == (BatchStatus.COMPLETED, [8, 0, 0, 0, 0])


async def test_a_try_that_failed_is_tried_again_and_makes_only_what_is_missing(db: Database) -> None:
    await accept(db, image("one"))
    held = await claim(db, "one")
    failure = Failure("decoder-died", "It died.", "trace", delay=0.0, crashed=True)
    await work.fail(db, held, failure, Report(made=made("a")))
    assert await counts(db) == (BatchStatus.PROCESSING, [0, 0, 0, 1, 0])
    assert [(one.image_id, one.generation) for one in await waiting.page(db)] == [("one", 2)]
    again = await claim(db, "one", 2)
    assert (again.missing, again.tries, again.crashes) == (("b",), 2, 1)
    with pytest.raises(Fenced):
        await work.record(db, held, Report(made=made("b")))
    await work.complete(db, again, Report(made=made("b")))
    assert [attempt.outcome for attempt in await images.attempts(db, "one")] == ["retrying", "completed"]


async def test_what_was_recorded_and_not_answered_is_told_once(db: Database) -> None:
    await accept(db, image("one"))
    held = await claim(db, "one")
    report = Report(made=made("a"), lost=[LostVariant("b", "bad-recipe", "It is too small.")])
    await work.record(db, held, report)
    await work.fail(db, held, Failure("unavailable", "No answer.", delay=0), report)
    said = await told(db)
    assert (said.count("variant.completed"), said.count("variant.failed")) == (1, 1)


async def test_a_dead_letter_can_be_replayed_and_reopens_its_batch(db: Database) -> None:
    await accept(db, image("one"), image("two"))
    await work.complete(db, await claim(db, "two"), Report(made=made("a", "b")))
    status = await work.fail(db, await claim(db, "one"), Failure("corrupt-image", "Cut short."), Report(made=made("a")))
    assert status is BatchStatus.COMPLETED_WITH_ERRORS
    dead = await images.find(db, "one")
    assert dead
    assert (dead.error_code, dead.failed_reason) == ("corrupt-image", "Cut short.")
    assert [variant.state for variant in dead.variants] == [State.COMPLETED, State.FAILED]

    assert await ending.replay(db, "one") == (2, 0)
    assert await counts(db) == (BatchStatus.PROCESSING, [1, 0, 0, 1, 0])
    again = await claim(db, "one", 2)
    assert again.missing == ("b",)
    assert await work.complete(db, again, Report(made=made("b"))) is BatchStatus.COMPLETED
    assert (await told(db))[-6:] == [
        "batch.reopened",
        "image.replayed",
        "image.started",
        "variant.completed",
        "image.completed",
        "batch.completed",
    ]
    with pytest.raises(PixelmillError, match="conflict"):
        await ending.replay(db, "one")


async def test_a_variant_that_can_never_be_made_fails_its_image_and_not_its_siblings(db: Database) -> None:
    await accept(db, image("one"))
    report = Report(made=made("a"), lost=[LostVariant("b", "too-many-pixels", "Too big.")])
    assert await work.complete(db, await claim(db, "one"), report) is BatchStatus.COMPLETED_WITH_ERRORS
    found = await images.find(db, "one")
    assert found
    assert (found.state, found.error_code) == (State.FAILED, "too-many-pixels")
    assert [variant.state for variant in found.variants] == [State.COMPLETED, State.FAILED]


async def test_cancel_keeps_what_is_done_and_refuses_what_comes_late(db: Database) -> None:
    await accept(db, image("done"), image("active"), image("waiting"))
    await work.complete(db, await claim(db, "done"), Report(made=made("a", "b")))
    held = await claim(db, "active")
    assert await ending.cancel(db, "batch") is BatchStatus.CANCELED
    assert await counts(db) == (BatchStatus.CANCELED, [1, 0, 0, 0, 2])
    with pytest.raises(Fenced):
        await work.complete(db, held, Report(made=made("a", "b")))
    seq = len(await told(db))
    assert await ending.cancel(db, "batch") is BatchStatus.CANCELED  # again: nothing happens
    assert len(await told(db)) == seq
    with pytest.raises(PixelmillError, match="not-found"):
        await ending.cancel(db, "no such batch")


async def test_one_image_is_canceled_and_its_batch_goes_on_without_it(db: Database) -> None:
    await accept(db, image("one"), image("two"))
    held = await claim(db, "one")
    assert await ending.cancel_image(db, "one") == "batch"
    assert await ending.cancel_image(db, "one") == "batch"  # again: nothing happens
    with pytest.raises(Fenced):
        await work.complete(db, held, Report(made=made("a", "b")))
    assert await counts(db) == (BatchStatus.PROCESSING, [0, 0, 0, 1, 1])
    status = await work.complete(db, await claim(db, "two"), Report(made=made("a", "b")))
    assert status is BatchStatus.COMPLETED_WITH_ERRORS
    with pytest.raises(PixelmillError, match="not-found"):
        await ending.cancel_image(db, "no such image")


async def test_what_a_dead_process_held_is_taken_back_and_its_late_writes_are_refused(db: Database) -> None:
    await accept(db, image("one"), image("two"))
    held = await claim(db, "one", process_id="frozen")
    other = await claim(db, "two", process_id="living")
    assert await giving_back.take_back(db, "frozen", most=2) == 1
    assert await counts(db) == (BatchStatus.PROCESSING, [0, 0, 1, 1, 0])
    with pytest.raises(Fenced):
        await work.record(db, held, Report(made=made("a")))
    await work.record(db, other, Report(made=made("a")))
    again = await claim(db, "one", 2)
    assert (again.tries, again.take_overs) == (1, 1)


async def test_an_image_that_loses_its_worker_too_often_is_a_dead_letter(db: Database) -> None:
    await accept(db, image("one"))
    for generation in (1, 2, 3):
        await claim(db, "one", generation)
        await giving_back.take_back(db, "worker", most=2)
    assert await counts(db) == (BatchStatus.COMPLETED_WITH_ERRORS, [0, 1, 0, 0, 0])


async def test_a_stray_is_found_and_released(db: Database) -> None:
    await accept(db, image("one"), image("two"))
    one, two = await claim(db, "one"), await claim(db, "two")
    assert await giving_back.strays(db, "worker", {two.token}) == [one.token]
    await giving_back.release(db, one.token)
    await giving_back.release(db, one.token)
    assert await giving_back.strays(db, "worker", {two.token}) == []
    assert [(image.image_id, image.generation) for image in await waiting.page(db)] == [("one", 2)]


async def test_hand_back_costs_no_try(db: Database) -> None:
    await accept(db, image("one"))
    held = await claim(db, "one")
    assert await giving_back.hand_back(db, held) == 2
    assert await giving_back.hand_back(db, held) is None
    assert (await claim(db, "one", 2)).tries == 1


async def test_the_door_keeps_events_and_rows_of_a_large_batch(db: Database) -> None:
    assert await accept(db, *(image(f"image{number}") for number in range(1500)))
    assert len(await images.of_batch(db, "batch", after=1399)) == 100
    assert await ending.cancel(db, "batch") is BatchStatus.CANCELED
    assert await counts_of(db) == 1500


async def counts_of(db: Database) -> int:
    batch = await batches.find(db, "batch")
    assert batch
    return batch.counts.canceled


async def test_pages_of_batches_follow_each_other(db: Database) -> None:
    for number in range(5):
        await accept(db, image(f"i{number}"), batch_id=f"batch{number}")
    first, cursor = await batches.page(db, limit=3)
    rest, end = await batches.page(db, limit=3, cursor=cursor)
    assert [batch.id for batch in first + rest] == [f"batch{number}" for number in (4, 3, 2, 1, 0)]
    assert end is None
    assert [batch.id for batch in (await batches.page(db, status="completed"))[0]] == []


async def test_leftovers_name_what_variants_use(db: Database) -> None:
    await accept(db, image("one"))
    held = await claim(db, "one")
    await work.complete(db, held, Report(made=made("a", "b")))
    found = await waiting.leftovers(db, tables.now())
    assert [(one.token, one.keep) for one in found] == [(held.token, frozenset({"key-a", "key-b"}))]
    await waiting.swept(db, [held.token])
    assert await waiting.leftovers(db, tables.now()) == []


async def test_renew_raises_only_what_still_waits(db: Database) -> None:
    await accept(db, image("one"))
    assert await waiting.renew(db, "one", 1) == 2
    assert await waiting.renew(db, "one", 1) is None


async def test_one_process_has_a_role_at_a_time(db: Database) -> None:
    assert await processes.keep_role(db, "reconciler", "first")
    assert await processes.keep_role(db, "reconciler", "first")
    assert not await processes.keep_role(db, "reconciler", "second")
    role = await processes.role(db, "reconciler")
    assert role
    assert await processes.keep_role(db, "reconciler", "second", over=role)
    assert not await processes.keep_role(db, "reconciler", "third", over=role)
    assert not await processes.keep_role(db, "reconciler", "first")
    await processes.forget(db, "second")
    assert await processes.role(db, "reconciler") is None


async def test_a_process_that_was_buried_is_told(db: Database) -> None:
    await processes.register(db, "p", kind="worker", slot="s", host="here", pid=1, version="1")
    assert await processes.beat(db, "p", {})
    assert await processes.beats(db) == {"p": 1}
    assert await processes.register(db, "q", kind="worker", slot="s", host="here", pid=2, version="1") == ["p"]
    await processes.forget(db, "p")
    assert not await processes.beat(db, "p", {})


async def test_an_unreachable_server_is_unavailable() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(PixelmillError, match="unavailable"):
        async with database.write() as tx:
            await tx.execute(insert(tables.roles).values(name="x", holder="y", beat=0))
    await database.close()
