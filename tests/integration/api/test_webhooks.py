"""``/webhooks`` on the wire, down to a real receiver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from pixelmill.pipeline import Deliverer
from tests.receiver import Receiver, receiving
from tests.sites import Site


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def calling(site_with: Callable[..., AbstractAsyncContextManager[Site]]) -> AsyncIterator[Site]:
    """A site that may call this machine."""
    async with site_with(allow_hosts=("127.0.0.1",)) as site:
        yield site


async def deliver(site: Site) -> None:
    sender = Deliverer(site.parts.database, site.settings, presence=site.parts.intake.presence)
    await sender.drain()
    await sender.close()


async def test_an_endpoint_from_making_to_deletion(calling: Site, receiver: Receiver) -> None:
    client = calling.client
    made = await client.post("/webhooks", json={"url": receiver.url})
    assert made.status_code == 201, made.text
    hook = made.json()
    assert hook["events"] == ["batch.completed", "batch.canceled", "batch.reopened"]
    path = made.headers["location"]
    shown = await client.get(path)
    assert "secret" not in shown.text
    assert (await client.get("/webhooks")).json() == {"webhooks": [shown.json()], "nextCursor": None}
    secret = hook["secrets"][0]["secret"]
    assert (await client.get(f"{path}/secret")).json()["secrets"] == hook["secrets"]

    await client.post(f"{path}/test")
    batch = await calling.finish(await calling.accepted())
    await deliver(calling)
    messages = [Verifier(secret).verify(call.body, call.headers) for call in receiver.calls]
    assert sorted(message["type"] for message in messages) == ["batch.completed", "webhook.test"]
    (end,) = (message for message in messages if message["type"] == "batch.completed")
    assert (end["data"]["batchId"], end["data"]["status"]) == (batch["batchId"], "completed")

    told = (await client.get(f"{path}/deliveries", params={"limit": 1})).json()
    assert told["nextCursor"]
    assert [one["event"] for one in told["deliveries"]] == ["batch.completed"]
    (one,) = (await client.get(f"/batches/{batch['batchId']}/deliveries")).json()["deliveries"]
    assert one == told["deliveries"][0]
    assert (one["state"], one["tries"], one["log"][0]["status"]) == ("delivered", 1, 204)
    assert (await client.get(f"{path}/deliveries", params={"state": "failed"})).json()["deliveries"] == []

    replayed = await client.post(f"/deliveries/{one['deliveryId']}/replay")
    assert (replayed.status_code, replayed.json()["state"]) == (202, "due")
    await deliver(calling)
    assert receiver.calls[-1].headers["webhook-id"] == f"msg_{one['deliveryId']}"
    assert len(receiver.calls) == 3

    off = await client.patch(path, json={"enabled": False, "events": ["batch.canceled"]})
    assert (off.json()["enabled"], off.json()["events"]) == (False, ["batch.canceled"])
    assert (await client.post(f"{path}/test")).status_code == 409
    assert (await client.post(f"/deliveries/{one['deliveryId']}/replay")).status_code == 409
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404
    assert (await client.post(f"/deliveries/{one['deliveryId']}/replay")).status_code == 404


async def test_a_secret_is_changed_without_a_gap(calling: Site, receiver: Receiver) -> None:
    hook = (await calling.client.post("/webhooks", json={"url": receiver.url})).json()
    path = f"/webhooks/{hook['webhookId']}/secret"
    new, old = (await calling.client.post(f"{path}/rotate", json={})).json()["secrets"]
    assert old["secret"] == hook["secrets"][0]["secret"]
    assert (new["until"], old["until"] is not None) == (None, True)
    await calling.finish(await calling.accepted())
    await deliver(calling)
    for secret in (new, old):
        Verifier(secret["secret"]).verify(receiver.calls[0].body, receiver.calls[0].headers)
    (newest,) = (await calling.client.post(f"{path}/rotate", json={"overlap": 0})).json()["secrets"]
    assert newest["secret"] not in (new["secret"], old["secret"])


async def test_a_batchs_own_callback(calling: Site, receiver: Receiver) -> None:
    batch = await calling.accepted(callbackUrl=receiver.url)
    (secret,) = (await calling.client.get("/callback-secret")).json()["secrets"]
    await calling.client.delete(f"/batches/{batch['batchId']}")
    await deliver(calling)
    assert (
        Verifier(secret["secret"]).verify(receiver.calls[0].body, receiver.calls[0].headers)["type"] == "batch.canceled"
    )
    (one,) = (await calling.client.get(f"/batches/{batch['batchId']}/deliveries")).json()["deliveries"]
    assert (one["webhookId"], one["url"]) == (None, receiver.url)
    rotated = (await calling.client.post("/callback-secret/rotate", json={"overlap": 60})).json()["secrets"]
    assert rotated[1]["secret"] == secret["secret"]


async def test_a_purge_does_not_take_back_what_is_still_to_be_told(calling: Site, receiver: Receiver) -> None:
    batch = await calling.accepted(callbackUrl=receiver.url)
    await calling.client.delete(f"/batches/{batch['batchId']}", params={"purge": "true"})
    await deliver(calling)
    assert len(receiver.calls) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"url": "http://10.0.0.1/"}, 422),
        ({"url": "http://[::ffff:10.0.0.1]/"}, 422),
        ({"url": "http://2130706433/"}, 422),
        ({"url": "ftp://example.com/"}, 422),
        ({"url": "https://user@example.com/"}, 422),
        ({"url": ""}, 422),
        ({"url": "https://example.com/", "events": []}, 400),
        ({"url": "https://example.com/", "events": ["image.completed"]}, 400),
        ({"url": "https://example.com/", "events": ["batch.completed", 1]}, 400),
        ({}, 400),
        ([], 400),
    ],
)
async def test_what_is_no_endpoint(site: Site, body: object, status: int) -> None:
    assert (await site.client.post("/webhooks", json=body)).status_code == status
    assert (await site.client.get("/webhooks")).json()["webhooks"] == []


async def test_owners_do_not_see_each_others_endpoints(calling: Site, receiver: Receiver) -> None:
    client = calling.client
    admin = (await client.post("/keys", json={"name": "all", "scopes": ["admin"]})).json()["secret"]
    client.headers["authorization"] = f"Bearer {admin}"
    tenants = {}
    for owner in ("one", "two"):
        made = await client.post("/keys", json={"name": owner, "owner": owner, "scopes": ["admin"]})
        tenants[owner] = {"authorization": f"Bearer {made.json()['secret']}"}
    hook = (await client.post("/webhooks", json={"url": receiver.url}, headers=tenants["one"])).json()
    path = f"/webhooks/{hook['webhookId']}"
    await client.post(f"{path}/test", headers=tenants["one"])
    (one,) = (await client.get(f"{path}/deliveries", headers=tenants["one"])).json()["deliveries"]
    for method, url in [
        ("GET", path),
        ("PATCH", path),
        ("DELETE", path),
        ("GET", f"{path}/secret"),
        ("POST", f"{path}/secret/rotate"),
        ("POST", f"{path}/test"),
        ("GET", f"{path}/deliveries"),
        ("POST", f"/deliveries/{one['deliveryId']}/replay"),
    ]:
        body = {} if method in ("POST", "PATCH") else None
        answer = await client.request(method, url, json=body, headers=tenants["two"])
        assert answer.status_code == 404, (method, url)
    assert (await client.get("/webhooks", headers=tenants["two"])).json()["webhooks"] == []
    secrets = [
        (await client.get("/callback-secret", headers=tenants[owner])).json()["secrets"][0]["secret"]
        for owner in tenants
    ]
    assert secrets[0] != secrets[1]


async def test_the_worker_tells_it_by_itself(calling: Site, receiver: Receiver, photo: object) -> None:
    """The whole way: a real photo, a real worker, a real receiver."""
    from pathlib import Path

    from pixelmill import app

    assert isinstance(photo, Path)
    stop = asyncio.Event()
    task = asyncio.create_task(app.worker(calling.settings, stop))
    batch = await calling.accepted(("field.jpg", photo.read_bytes()), callbackUrl=receiver.url)
    while not receiver.calls:
        await asyncio.sleep(0.05)
        assert not task.done()
    stop.set()
    await task
    (secret,) = (await calling.client.get("/callback-secret")).json()["secrets"]
    message = Verifier(secret["secret"]).verify(receiver.calls[0].body, receiver.calls[0].headers)
    assert message["data"]["progress"]["completed"] == 1
    assert message["data"]["batchId"] == batch["batchId"]
