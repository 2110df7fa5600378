"""Webhooks are told: signed as Standard Webhooks has it, by its schedule, to a real server, however it behaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from pixelmill.outbound import Guard
from pixelmill.pipeline import Deliverer, Presence
from pixelmill.pipeline.deliver import JITTER, SCHEDULE, SLOTS_EACH, callbacks, wait
from pixelmill.pipeline.presence import bury
from pixelmill.records import Database, deliveries, intents, secrets, webhooks, work
from pixelmill.records.claims import Claim, Failure, Report
from pixelmill.records.intents import NewBatch, NewImage
from pixelmill.records.models import Delivery
from tests.integration.pipeline.conftest import Parts
from tests.receiver import Receiver, receiving

RECIPE = {"variants": [{"name": "a", "steps": []}]}


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC) + timedelta(minutes=4)  # so that what is written in a test is due

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def start(parts: Parts, clock: Clock) -> AsyncIterator[Callable[..., Deliverer]]:
    """Senders, each of a process of its own; loopback is allowed by name."""
    started = []

    def begin(presence: Presence | None = None, guard: Guard | None = None) -> Deliverer:
        settings = parts.settings.model_copy(update={"public_url": "https://mill.example/"})
        started.append(
            Deliverer(
                parts.database,
                settings,
                presence=presence or parts.presence,
                guard=guard or Guard(["127.0.0.1"]),
                clock=clock,
            )
        )
        return started[-1]

    yield begin
    for one in started:
        await one.close()


async def batch_ends(db: Database, name: str = "batch", callback: str | None = None) -> None:
    await intents.begin(db, name, "api")
    image = NewImage(name, "a.jpg", f"originals/{name}/{name}", 10, None, "jpeg")
    new = NewBatch(name, "me", "web", RECIPE, ["a"], {"order": 7}, callback, 0, [image])
    assert await intents.accept(db, new)
    held = await work.claim(db, name, 1, token=name, process_id="worker", worker="here:1")
    assert isinstance(held, Claim)
    await work.fail(db, held, Failure("corrupt-image", "It is bad."), Report())


async def only(db: Database) -> Delivery:
    ((one,), _) = await deliveries.page(db)
    return one


def checked(receiver: Receiver, secret: str, number: int = -1) -> dict[str, object]:
    call = receiver.calls[number]
    message: dict[str, object] = Verifier(secret).verify(call.body, call.headers)
    return message


async def test_a_message_as_its_receiver_gets_it(
    parts: Parts, receiver: Receiver, start: Callable[..., Deliverer]
) -> None:
    db = parts.database
    endpoint = await webhooks.create(db, "hook", owner="me", url=receiver.url, events=webhooks.EVENTS)
    await batch_ends(db)
    await start().drain()
    (call,) = receiver.calls
    one = await only(db)
    assert (call.method, call.path) == ("POST", "/hook")
    assert call.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["webhook-id"] == f"msg_{one.id}"
    assert call.headers["webhook-signature"].startswith("v1,")
    message = checked(receiver, endpoint.secrets[0].secret)
    assert message == json.loads(call.body)
    assert message["type"] == "batch.completed"
    assert message["data"] == {
        "event": "batch.completed",
        "batchId": "batch",
        "status": "completed-with-errors",
        "progress": {"total": 1, "completed": 0, "failed": 1, "active": 0, "waiting": 0, "canceled": 0},
        "preset": "web",
        "metadata": {"order": 7},
        "links": {
            "self": "https://mill.example/batches/batch",
            "archive": "https://mill.example/batches/batch/archive",
        },
    }
    assert (one.state, one.tries, one.log[0]["status"], one.log[0]["error"]) == ("delivered", 1, 204, None)
    tampered = {**call.headers, "webhook-timestamp": str(int(call.headers["webhook-timestamp"]) + 1)}
    with pytest.raises(WebhookVerificationError):
        Verifier(endpoint.secrets[0].secret).verify(call.body, tampered)


async def test_a_callback_is_signed_with_the_owners_secret(
    parts: Parts, receiver: Receiver, start: Callable[..., Deliverer]
) -> None:
    await batch_ends(parts.database, callback=receiver.url)
    await start().drain()
    (secret,) = await secrets.find(parts.database, callbacks("me"))
    assert checked(receiver, secret.secret)["type"] == "batch.completed"


async def test_while_a_secret_is_changed_both_sign(
    parts: Parts, receiver: Receiver, start: Callable[..., Deliverer], clock: Clock
) -> None:
    db = parts.database
    made = await webhooks.create(db, "hook", owner="me", url=receiver.url, events=webhooks.EVENTS)
    changed = await webhooks.rotate(db, "hook", until=clock() + timedelta(hours=1))
    assert changed
    await batch_ends(db)
    await start().drain()
    for secret in (made.secrets[0].secret, changed.secrets[0].secret):
        assert checked(receiver, secret)
    assert len(receiver.calls[0].headers["webhook-signature"].split(" ")) == 2


async def test_the_schedule_and_its_end(
    parts: Parts, receiver: Receiver, start: Callable[..., Deliverer], clock: Clock
) -> None:
    """Ten tries over three days, each a little late; then it is given up, and its endpoint with it."""
    db = parts.database
    receiver.answers = [(500, {})]
    await webhooks.create(db, "hook", owner="me", url=receiver.url, events=webhooks.EVENTS)
    await batch_ends(db)
    sender = start()
    for number, delay in enumerate(SCHEDULE[1:], 1):
        await sender.drain()
        one = await only(db)
        assert (one.state, one.tries, len(receiver.calls)) == ("due", number, number)
        assert delay <= (one.due_at - clock()).total_seconds() <= delay * (1 + JITTER)
        clock.forward(delay - 1)
        await sender.drain()
        assert len(receiver.calls) == number  # not a second early
        clock.forward(delay * JITTER + 2)
    await sender.drain()
    one = await only(db)
    assert (one.state, one.tries) == ("failed", 10)
    assert len({call.headers["webhook-id"] for call in receiver.calls}) == 1
    assert len({call.headers["webhook-timestamp"] for call in receiver.calls}) == 10
    endpoint = await webhooks.find(db, "hook")
    assert endpoint
    assert "10 tries" in str(endpoint.disabled_reason)
    await batch_ends(db, "another")
    assert (await only(db)).id == one.id  # nothing more is written for it


async def test_gone_is_gone(parts: Parts, receiver: Receiver, start: Callable[..., Deliverer]) -> None:
    db = parts.database
    receiver.answers = [(410, {})]
    await webhooks.create(db, "hook", owner="me", url=receiver.url, events=webhooks.EVENTS)
    await batch_ends(db)
    await start().drain()
    endpoint = await webhooks.find(db, "hook")
    assert endpoint
    assert endpoint.disabled_reason == "It answered 410 Gone."
    assert (await only(db)).state == "failed"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 429, 500, 503])
async def test_only_2xx_is_success_and_nothing_is_followed(
    parts: Parts, receiver: Receiver, start: Callable[..., Deliverer], status: int
) -> None:
    receiver.answers = [(status, {"location": receiver.url}), (200, {})]
    await batch_ends(parts.database, callback=receiver.url)
    await start().drain()
    one = await only(parts.database)
    assert (one.state, one.log[0]["status"], len(receiver.calls)) == ("due", status, 1)
    assert one.log[0]["error"] == f"It answered {status}."


async def test_an_endpoint_that_asks_for_time_gets_it(
    parts: Parts, receiver: Receiver, start: Callable[..., Deliverer], clock: Clock
) -> None:
    receiver.answers = [
        (503, {"retry-after": "3600"}),
        (503, {"retry-after": format_datetime(clock() + timedelta(hours=3), usegmt=True)}),
        (200, {}),
    ]
    await batch_ends(parts.database, callback=receiver.url)
    sender = start()
    await sender.drain()
    assert (await only(parts.database)).due_at == clock() + timedelta(hours=1)
    clock.forward(3600)
    await sender.drain()
    assert abs((await only(parts.database)).due_at - clock() - timedelta(hours=2)) < timedelta(seconds=2)
    clock.forward(7200)
    await sender.drain()
    assert (await only(parts.database)).state == "delivered"


async def test_what_is_not_public_is_never_called(
    parts: Parts, receiver: Receiver, start: Callable[..., Deliverer]
) -> None:
    """At every delivery: the address was fine when it was given, and its name server says something else now."""

    async def rebound(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    for url in (receiver.url, f"http://rebound.example:{receiver.port}/"):
        await batch_ends(parts.database, f"b{len(url)}", callback=url)
    await start(guard=Guard(resolve=rebound)).drain()
    found, _ = await deliveries.page(parts.database)
    assert [(one.state, one.log[0]["status"]) for one in found] == [("due", None), ("due", None)]
    assert all("not on the public internet" in one.log[0]["error"] for one in found)
    assert receiver.calls == []


async def test_an_endpoint_that_hangs_holds_up_no_other(
    parts: Parts, receiver: Receiver, start: Callable[..., Deliverer]
) -> None:
    sender = start()
    receiver.open.clear()
    for number in range(SLOTS_EACH + 3):
        await batch_ends(parts.database, f"slow-{number}", callback=receiver.url)
    async with receiving() as quick:
        await batch_ends(parts.database, "quick", callback=quick.url)
        assert await sender.round() == SLOTS_EACH + 1
        assert await sender.round() == 0
        while not (await deliveries.page(parts.database, state="delivered"))[0]:
            await asyncio.sleep(0.01)
        assert len(quick.calls) == 1
    receiver.open.set()
    await sender.drain()
    assert len(receiver.calls) == SLOTS_EACH + 3


async def test_a_sender_that_dies_loses_nothing(
    parts: Parts, receiver: Receiver, start: Callable[..., Deliverer]
) -> None:
    db = parts.database
    await batch_ends(db, callback=receiver.url)
    other = Presence(db, parts.settings, "worker")
    await other.enter()
    dying = start(other)
    receiver.open.clear()
    await dying.round()
    while not receiver.calls:
        await asyncio.sleep(0.01)
    await dying.close()  # its claim stays, as after kill -9
    assert (await only(db)).state == "sending"
    sender = start()
    await sender.drain()
    assert (await only(db)).state == "sending"
    await bury(db, other.id)
    receiver.open.set()
    await sender.drain()
    assert (await only(db)).state == "delivered"
    assert len({call.headers["webhook-id"] for call in receiver.calls}) == 1


async def test_what_a_living_sender_lost_sight_of_is_sent(
    parts: Parts, receiver: Receiver, start: Callable[..., Deliverer], clock: Clock
) -> None:
    """The answer to a claim was lost on its way: the record says we send it, and we do not."""
    await batch_ends(parts.database, callback=receiver.url)
    assert await deliveries.claim(parts.database, parts.presence.id, at=clock(), limit=1, most=1)
    await start().drain()
    assert (await only(parts.database)).state == "delivered"


async def test_a_replay_sends_the_same_message(
    parts: Parts, receiver: Receiver, start: Callable[..., Deliverer], clock: Clock
) -> None:
    await batch_ends(parts.database, callback=receiver.url)
    sender = start()
    await sender.drain()
    await deliveries.replay(parts.database, (await only(parts.database)).id, at=clock())
    await sender.drain()
    first, second = receiver.calls
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


async def test_it_runs_by_itself(parts: Parts, receiver: Receiver, start: Callable[..., Deliverer]) -> None:
    sender = start()
    running = asyncio.create_task(sender.run())
    await batch_ends(parts.database, callback=receiver.url)
    while not receiver.calls:
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("asked", [0.0, 60.0, 10**9])
def test_the_wait_is_planned_or_asked_for_and_bounded(asked: float) -> None:
    assert max(5.0, min(asked, 86400)) <= wait(1, asked) <= max(5.5, min(asked, 86400))
