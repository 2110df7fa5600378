"""Messages to webhooks in the record: written with the end of a batch, taken by one process, never lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from pixelmill.errors import PixelmillError
from pixelmill.records import Database, deliveries, ending, intents, secrets, webhooks, work
from pixelmill.records.claims import Failure, Report
from pixelmill.records.deliveries import claim, finish, page, replay, take_back
from pixelmill.records.intents import NewBatch
from pixelmill.records.models import Delivery
from tests.integration.records.test_work import RECIPE, image, made
from tests.integration.records.test_work import claim as take_image

HERE = "https://hooks.example/one"
TRIED = {"at": "2026-11-22T06:00:00.000Z", "status": 200, "error": None, "seconds": 0.1}


def soon(seconds: float = 1) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def accept(db: Database, *names: str, batch_id: str = "batch", callback: str | None = None) -> None:
    await intents.begin(db, batch_id, "api")
    images = [image(name) for name in names]
    new = NewBatch(batch_id, "me", "web", RECIPE, ["a", "b"], {"order": 7}, callback, 0, images)
    assert await intents.accept(db, new)


async def end(db: Database, *names: str) -> None:
    for name in names:
        await work.complete(db, await take_image(db, name), Report(made=made("a", "b")))


async def due(db: Database, limit: int = 10, most: int = 10) -> list[Delivery]:
    return await claim(db, "sender", at=soon(), limit=limit, most=most)


async def test_the_end_of_a_batch_and_its_messages_are_one_transaction(db: Database) -> None:
    await webhooks.create(db, "mine", owner="me", url=HERE, events=webhooks.EVENTS)
    await webhooks.create(db, "other", owner="you", url=HERE, events=webhooks.EVENTS)
    await webhooks.create(db, "deaf", owner="me", url=HERE, events=["batch.canceled"])
    await webhooks.create(db, "off", owner="me", url=HERE, events=webhooks.EVENTS)
    await webhooks.change(db, "off", enabled=False)
    await accept(db, "one", "two", callback="https://callback.example/")
    await end(db, "one")
    assert await due(db) == []
    await end(db, "two")

    found = await due(db)
    assert {(one.webhook_id, one.url, one.event) for one in found} == {
        ("mine", HERE, "batch.completed"),
        (None, "https://callback.example/", "batch.completed"),
    }
    assert found[0].payload["status"] == "completed"
    assert found[0].payload["progress"]["completed"] == 2
    assert found[0].payload["metadata"] == {"order": 7}
    assert await due(db) == []


async def test_a_batch_that_runs_again_says_so_and_ends_again(db: Database) -> None:
    await webhooks.create(db, "mine", owner="me", url=HERE, events=webhooks.EVENTS)
    await accept(db, "one")
    held = await take_image(db, "one")
    await work.fail(db, held, Failure("corrupt-image", "It is bad."), Report())
    await ending.replay(db, "one")
    held = await take_image(db, "one", 2)
    await work.complete(db, held, Report(made=made("a", "b")))
    told = sorted(await due(db), key=lambda one: one.id)
    assert [(one.event, one.payload["status"]) for one in told] == [
        ("batch.completed", "completed-with-errors"),
        ("batch.reopened", "processing"),
        ("batch.completed", "completed"),
    ]


async def test_a_cancellation_is_told(db: Database) -> None:
    await webhooks.create(db, "mine", owner="me", url=HERE, events=["batch.canceled"])
    await accept(db, "one")
    await ending.cancel(db, "batch")
    assert [one.event for one in await due(db)] == ["batch.canceled"]


async def batches_ended(db: Database, number: int, callback: str) -> None:
    for at in range(number):
        name = f"{callback[8:12]}-{at}"
        await accept(db, name, batch_id=f"batch-{name}", callback=callback)
        await end(db, name)


async def test_each_message_is_taken_once_however_many_take(db: Database) -> None:
    await batches_ended(db, 6, "https://a.example/")
    taken = await asyncio.gather(*(claim(db, f"p{at}", at=soon(), limit=4, most=9) for at in range(4)))
    ids = [one.id for some in taken for one in some]
    assert len(ids) == len(set(ids)) == 6


async def test_an_endpoint_with_many_messages_does_not_hold_up_another(db: Database) -> None:
    await batches_ended(db, 5, "https://slow.example/")
    await batches_ended(db, 1, "https://quick.example/")
    first = await due(db, limit=3, most=2)
    assert sorted(one.url for one in first) == [
        "https://quick.example/",
        "https://slow.example/",
        "https://slow.example/",
    ]
    busy = {"https://slow.example/": 2}
    assert await claim(db, "sender", at=soon(), limit=3, most=2, busy=busy) == []


async def test_the_messages_of_a_dead_process_come_back(db: Database) -> None:
    await batches_ended(db, 2, "https://a.example/")
    one, two = await claim(db, "dead", at=soon(), limit=2, most=2)
    assert await take_back(db, "dead", keep=[two.id]) == 1
    (again,) = await due(db)
    assert again.id == one.id
    assert not await finish(db, one, "dead", TRIED, state="delivered", at=soon())
    assert await finish(db, again, "sender", TRIED, state="delivered", at=soon())
    assert await take_back(db, "dead") == 1


async def test_a_try_that_failed_is_due_again_later(db: Database) -> None:
    await batches_ended(db, 1, "https://a.example/")
    (one,) = await due(db)
    assert await finish(db, one, "sender", TRIED | {"status": 500}, state="due", at=soon(), due_at=soon(60))
    assert await due(db) == []
    (one,) = await claim(db, "sender", at=soon(61), limit=1, most=1)
    assert (one.tries, len(one.log)) == (1, 1)
    assert await finish(db, one, "sender", TRIED, state="delivered", at=soon())
    found = await deliveries.find(db, one.id)
    assert found
    assert [tried["status"] for tried in found.log] == [500, 200]
    assert (found.state, found.tries, found.delivered_at is not None) == ("delivered", 2, True)

    await replay(db, one.id, at=soon(0))
    (one,) = await due(db)
    assert (one.tries, len(one.log), one.delivered_at) == (0, 2, None)
    with pytest.raises(PixelmillError, match="conflict"):
        await replay(db, one.id, at=soon(0))


async def test_an_endpoint_that_is_gone_is_told_nothing_more(db: Database) -> None:
    await webhooks.create(db, "mine", owner="me", url=HERE, events=webhooks.EVENTS)
    for name in ("one", "two"):
        await accept(db, name, batch_id=f"batch-{name}")
        await end(db, name)
    (one,) = await due(db, limit=1)
    assert await finish(db, one, "sender", TRIED | {"status": 410}, state="failed", at=soon(), disabled="It said 410.")
    assert await due(db) == []
    endpoint = await webhooks.find(db, "mine")
    assert endpoint
    assert (endpoint.disabled_reason, endpoint.disabled_at is not None) == ("It said 410.", True)
    failed, following = await page(db, webhook_id="mine", state="failed", limit=1)
    assert following == failed[0].id
    with pytest.raises(PixelmillError, match="disabled"):
        await replay(db, failed[0].id, at=soon(0))
    await webhooks.change(db, "mine", enabled=True)
    await replay(db, failed[0].id, at=soon(0))
    assert [one.id for one in await due(db)] == [failed[0].id]

    assert await webhooks.remove(db, "mine")
    assert not await webhooks.remove(db, "mine")
    assert await page(db, webhook_id="mine") == ([], None)


async def test_old_messages_are_pruned_and_due_ones_never(db: Database) -> None:
    await batches_ended(db, 2, "https://a.example/")
    (one,) = await due(db, limit=1)
    await finish(db, one, "sender", TRIED, state="delivered", at=soon(0))
    assert await deliveries.prune(db, soon(60)) == 1
    assert await deliveries.find(db, one.id) is None
    assert len(await due(db)) == 1


async def test_a_secret_changes_without_a_gap(db: Database) -> None:
    made_one = await webhooks.create(db, "mine", owner="me", url=HERE, events=webhooks.EVENTS)
    (first,) = made_one.secrets
    assert first.secret.startswith("whsec_")
    rotated = await webhooks.rotate(db, "mine", until=soon(3600))
    assert rotated
    new, old = rotated.secrets
    assert old.secret == first.secret != new.secret
    assert [one.secret for one in secrets.in_use(rotated.secrets, soon())] == [new.secret, old.secret]
    assert [one.secret for one in secrets.in_use(rotated.secrets, soon(3601))] == [new.secret]
    assert await webhooks.rotate(db, "nobody", until=soon()) is None


async def test_the_services_secret_is_one_for_all_who_ask_at_once(db: Database) -> None:
    found = await asyncio.gather(*(secrets.obtain(db, "callbacks:me") for _ in range(5)))
    assert len({one[0].secret for one in found}) == 1
    newer = await secrets.rotate(db, "callbacks:me", until=soon(60))
    assert await secrets.find(db, "callbacks:me") == newer
    assert newer[1].secret == found[0][0].secret
