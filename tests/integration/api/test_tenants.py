"""No tenant sees or changes what is another's: every operation of the document, tried with two tenants' keys."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from pixelmill import app
from pixelmill.api.auth import declared
from pixelmill.records import work
from pixelmill.records.claims import Failure, Report
from pixelmill.settings import Settings
from tests.sites import JPEG, Site
from tests.tenants import Tenant, tenant

#: Operations that need no key and tell of no tenant. A share's token or a signature is a key of its own.
PUBLIC = {
    "GET /livez",
    "GET /readyz",
    "GET /problems/{code}",
    "GET /session",
    "DELETE /session",
    "GET /shares/{token}",
    "OPTIONS /uploads/tus",
}
#: Operations that need a key and tell everybody the same.
SAME_FOR_ALL = {"GET /presets", "GET /recipes/schema", "POST /recipes/validate", "POST /recipes/preview"}
#: A stream that does not end: tests/integration/api/test_all_events.py listens as two tenants.
ENDLESS = {"GET /events"}
#: Operations on all of the service: no tenant may, not even with its admin key.
OPERATORS = {"POST /queue/pause", "POST /queue/resume", "GET /workers", "GET /stats", "GET /metrics"}
#: Operations without an id in their address that make or change something of the caller's own, with a body to send.
OWN: Mapping[str, Any] = {
    "POST /process-images": None,
    "POST /batches": {"sources": [{"url": "https://images.example.com/a.jpg"}]},
    "POST /uploads": {"count": 1},
    "POST /uploads/tus": None,
    "POST /session": None,
    "DELETE /dead-letters": None,
    "POST /dead-letters/replay": {},
    "POST /keys": {"name": "another", "scopes": ["read"]},
    "POST /webhooks": {"url": "https://hooks.example.com/it"},
    "POST /callback-secret/rotate": {},
}
#: What some need in the head.
HEADERS: Mapping[str, Any] = {"POST /uploads/tus": {"Tus-Resumable": "1.0.0", "Upload-Length": "7"}}
#: Bodies of operations that have an id in their address.
BODIES: Mapping[str, Any] = {
    "PATCH /webhooks/{webhookId}": {"enabled": False},
    "POST /batches/{batchId}/shares": {},
    "POST /webhooks/{webhookId}/secret/rotate": {},
}


def operations(document: Mapping[str, Any]) -> list[str]:
    return [f"{method.upper()} {path}" for path, of in document["paths"].items() for method in of]


def the_document() -> dict[str, Any]:
    found: dict[str, Any] = app.api(Settings(redis_url="redis://127.0.0.1:1")).openapi()
    return found


def everything() -> list[str]:
    return operations(the_document())


@dataclasses.dataclass
class Two:
    """``ids`` are of things of the first tenant, by the names that they have in addresses."""

    first: Tenant
    second: Tenant
    ids: dict[str, str]
    site: Site


@pytest.fixture
async def two(site: Site) -> AsyncIterator[Two]:
    async with tenant(site, "acme") as first, tenant(site, "bolt") as second:
        yield Two(first, second, await things(site, first), site)


async def things(site: Site, of: Tenant) -> dict[str, str]:
    """One of everything that has an id."""
    files = [("images", (name, JPEG)) for name in ("a.jpg", "bad.jpg")]
    answer = await of.client.post("/process-images", files=files)
    assert answer.status_code == 202, answer.text
    batch = (await of.client.get(answer.json()["statusUrl"])).json()
    job = batch["files"][0]
    await site.make(await site.claim(job["jobId"]), JPEG)
    bad = await site.claim(batch["files"][1]["jobId"])
    await work.fail(site.parts.database, bad, Failure("corrupt-image", "Cut."), Report())
    made = {"batchId": batch["batchId"], "jobId": job["jobId"], "variant": job["variants"][0]["name"]}
    made["uploadId"] = (await made_by(of, "/uploads", {"count": 1}))["files"][0]["uploadId"]
    begun = await of.client.post("/uploads/tus", headers=HEADERS["POST /uploads/tus"])
    made["tusId"] = begun.headers["location"].rpartition("/")[2]
    made["keyId"] = (await made_by(of, "/keys", {"name": "spare", "scopes": ["read"]}))["keyId"]
    made["shareId"] = (await made_by(of, f"/batches/{made['batchId']}/shares", {}))["shareId"]
    made["webhookId"] = (await made_by(of, "/webhooks", {"url": "https://hooks.example.com/it"}))["webhookId"]
    test = await of.client.post(f"/webhooks/{made['webhookId']}/test")
    assert test.status_code < 300, test.text
    made["deliveryId"] = test.json()["deliveryId"]
    return made


async def made_by(of: Tenant, path: str, body: Any) -> dict[str, Any]:
    answer = await of.client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def ask(of: Tenant, operation: str, ids: Mapping[str, str], body: Any = None) -> httpx.Response:
    method, path = operation.split(" ")
    if path.startswith("/uploads/tus/"):
        ids = {**ids, "uploadId": ids["tusId"]}
    unknown = set(re.findall(r"{(\w+)}", path)) - set(ids)
    assert not unknown, f"{operation}: make a thing with {unknown} in things(), or list the operation above"
    # A stream that would not end is not waited for.
    async with of.client.stream(method, path.format(**ids), json=body, headers=HEADERS.get(operation)) as answer:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer
        await answer.aread()
    return answer


async def test_what_has_an_id_is_there_for_its_owner_alone(two: Two) -> None:
    # What deletes comes last; a thing on which others hang after them.
    found = sorted((one for one in everything() if "{" in one and one not in PUBLIC), key=_last)
    wrong = []
    for operation in found:
        answer = await ask(two.second, operation, two.ids, BODIES.get(operation))
        if operation in OPERATORS:
            if answer.status_code != 403:
                wrong.append(f"{operation} is done for a tenant")
        elif answer.status_code != 404 or answer.json()["type"] != "/problems/not-found":
            wrong.append(f"{operation} tells another tenant {answer.status_code}")
    for operation in (one for one in found if one not in OPERATORS):
        # None of it was done, and the addresses are right: the owner is answered.
        answer = await ask(two.first, operation, two.ids, BODIES.get(operation))
        if answer.status_code in (401, 403, 404, 405):
            wrong.append(f"{operation} tells the owner {answer.status_code}")
    assert not wrong


def _last(operation: str) -> tuple[bool, int]:
    return operation.startswith("DELETE "), -operation.count("/")


async def test_what_has_no_id_is_of_the_caller_alone(two: Two) -> None:
    wrong = []
    for operation in (one for one in everything() if "{" not in one and one not in PUBLIC | SAME_FOR_ALL | ENDLESS):
        if operation in OPERATORS:
            if (await ask(two.second, operation, {})).status_code != 403:
                wrong.append(f"{operation} is done for a tenant")
        elif operation in OWN:
            before = await all_seen(two.first)
            if operation == "POST /process-images":
                answer = await two.second.client.post("/process-images", files=[("images", ("b.jpg", JPEG))])
            else:
                answer = await ask(two.second, operation, {}, OWN[operation])
            if answer.status_code >= 300:
                wrong.append(f"{operation} tells {answer.status_code}")
            if await all_seen(two.first) != before:
                wrong.append(f"{operation} shows to another tenant")
        elif not operation.startswith("GET "):
            wrong.append(f"{operation} is in none of the lists above")
        else:
            answer = await ask(two.second, operation, {})
            if answer.status_code != 200:
                wrong.append(f"{operation} tells {answer.status_code}")
            shown = [name for name, value in two.ids.items() if name != "variant" and value in answer.text]
            if shown:
                wrong.append(f"{operation} shows the {shown} of another tenant")
    assert not wrong


async def all_seen(of: Tenant) -> list[Any]:
    """What the lists show, but for when a key was used."""
    paths = ("/batches", "/dead-letters", "/keys", "/webhooks", "/callback-secret", "/audit")
    answers = [await of.client.get(path) for path in paths]
    assert {answer.status_code for answer in answers} == {200}
    found = [answer.json() for answer in answers]
    for key in found[2]["keys"]:
        del key["lastUsedAt"]
    return found


async def test_nobody_can_use_the_uploads_of_another(two: Two) -> None:
    sent = await two.first.client.put(f"/uploads/{two.ids['uploadId']}", content=JPEG)
    assert sent.status_code == 201, sent.text
    wanted = {"sources": [{"uploadId": two.ids["uploadId"]}]}
    refused = await two.second.client.post("/batches", json=wanted)
    assert refused.status_code == 404, refused.text
    assert (await two.first.client.post("/batches", json=wanted)).status_code == 202


async def test_lists_show_their_owner_its_own(two: Two) -> None:
    """The test above would be content with lists that are always empty."""
    for path, name in (
        ("/batches", "batchId"),
        ("/dead-letters", "batchId"),
        ("/keys", "keyId"),
        ("/webhooks", "webhookId"),
        ("/audit", "keyId"),
    ):
        assert two.ids[name] in (await two.first.client.get(path)).text, path


async def test_who_manages_the_service_sees_all(two: Two) -> None:
    async with tenant(two.site, "") as operator:
        assert (await operator.client.get(f"/batches/{two.ids['batchId']}")).status_code == 200
        assert two.ids["batchId"] in (await operator.client.get("/batches")).text
    async with tenant(two.site, "", ["read", "upload"]) as plain:
        assert (await plain.client.get(f"/batches/{two.ids['batchId']}")).status_code == 404
        assert two.ids["batchId"] not in (await plain.client.get("/batches")).text


async def test_nothing_is_done_without_a_key(two: Two) -> None:
    wrong = []
    async with httpx.AsyncClient(base_url=two.site.url) as nobody:
        stranger = dataclasses.replace(two.first, client=nobody)
        for operation in (one for one in everything() if one not in PUBLIC):
            answer = await ask(stranger, operation, two.ids, BODIES.get(operation) or OWN.get(operation))
            if answer.status_code != 401 or not answer.headers["www-authenticate"].startswith("Bearer "):
                wrong.append(f"{operation} tells {answer.status_code}")
    assert not wrong


def test_each_operation_says_what_it_needs() -> None:
    document = the_document()
    for operation in operations(document):
        method, path = operation.split(" ")
        said = document["paths"][path][method.lower()].get("security")
        assert (said is None) == (operation in PUBLIC), f"{operation} says {said}"
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


def test_a_route_that_does_not_say_who_may_use_it_does_not_start() -> None:
    from fastapi import APIRouter

    router = APIRouter()

    @router.get("/forgotten")
    async def forgotten() -> None: ...

    with pytest.raises(TypeError, match="/forgotten does not say who may use it"):
        declared(router.routes)
