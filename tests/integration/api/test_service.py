"""Health, presets, problems, the document and the docs page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from structlog.testing import capture_logs

from pixelmill.errors import CODES
from tests.servers import LOOPBACK
from tests.sites import Site


async def test_live_and_ready(site: Site) -> None:
    assert (await site.client.get("/livez")).json() == {"status": "ok"}
    answer = await site.client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "checks": {"records": "ok", "storage": "ok", "queue": "ok"}}


async def test_ready_without_a_queue_and_not_without_records(site: Site) -> None:
    site.parts.queue.__init__(f"redis://{LOOPBACK}:1/0", "images")  # type: ignore[misc]
    answer = await site.client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["queue"]) == (200, "not answering")
    site.app.state.hub.close()
    answer = await site.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "stopping")


async def test_presets_and_limits(site: Site) -> None:
    told = (await site.client.get("/presets")).json()
    assert {"default", "instagram", "facebook", "web", "thumbnail", "compress"} <= {
        one["name"] for one in told["presets"]
    }
    assert all(one["recipe"]["variants"] for one in told["presets"])
    assert told["limits"]["maxFiles"] == 10
    assert told["limits"]["maxFileBytes"] == 5 * 1024 * 1024


@pytest.mark.parametrize("code", CODES)
async def test_every_problem_type_is_explained(site: Site, code: str) -> None:
    told = (await site.client.get(f"/problems/{code}")).json()
    assert told == {
        "code": code,
        "title": CODES[code].title,
        "status": CODES[code].status,
        "advice": CODES[code].advice,
        "permanent": CODES[code].permanent,
    }
    page = await site.client.get(f"/problems/{code}", headers={"Accept": "text/html,*/*"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert CODES[code].title in page.text


async def test_unknown_addresses_and_methods_are_problems(site: Site) -> None:
    for path in ("/nope", "/assets/nope.js", "/batches/", "/docs/nope", "/problems/nope", "/a//b"):
        answer = await site.client.get(path, headers={"Accept": "text/html"})
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), path
        assert answer.headers["content-type"] == "application/problem+json"
    for path, methods in (("/presets", "GET, HEAD"), ("/batches/x", "DELETE, GET, HEAD"), ("/process-images", "POST")):
        answer = await site.client.put(path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed"), path
        assert answer.headers["allow"] == methods


async def test_every_answer_is_careful_and_has_an_id(site: Site) -> None:
    for path in ("/presets", "/nope", "/docs", "/livez", "/"):
        head = (await site.client.get(path)).headers
        assert head["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in head["content-security-policy"]
        assert "frame-ancestors 'none'" in head["content-security-policy"]
    answer = await site.client.get("/presets", headers={"X-Request-Id": "mine-7"})
    assert answer.headers["x-request-id"] == "mine-7"
    assert (await site.client.get("/presets", headers={"X-Request-Id": "a b"})).headers["x-request-id"] != "a b"


async def test_a_fault_is_logged_and_tells_nothing(site: Site) -> None:
    object.__setattr__(site.parts, "presets", None)
    with capture_logs() as logged:
        answer = await site.client.get("/presets")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "None" not in answer.text
    assert "Traceback" not in answer.text
    assert any(isinstance(line.get("exc_info"), AttributeError) for line in logged)


async def test_the_document_declares_every_route_and_its_problems(site: Site) -> None:
    document: dict[str, Any] = (await site.client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) >= {
        "/process-images",
        "/batches",
        "/batches/{batchId}",
        "/batches/{batchId}/events",
        "/jobs/{jobId}",
        "/images/{jobId}/{variant}",
        "/presets",
        "/livez",
        "/readyz",
        "/problems/{code}",
    }
    text = str(document)
    assert "HTTPValidationError" not in text
    for reference in set(re.findall(r"#/components/schemas/(\w+)", text)):
        assert reference in document["components"]["schemas"]
    answers = document["paths"]["/process-images"]["post"]["responses"]
    assert {"202", "400", "413", "415", "422", "503", "default"} <= set(answers)
    assert set(answers["413"]["content"]["application/problem+json"]["examples"]) == {
        "too-large",
        "too-many-files",
        "too-large-request",
    }


async def test_the_docs_need_nothing_from_elsewhere(site: Site) -> None:
    page = await site.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "http" not in page.text
    for name in re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text):
        answer = await site.client.get(f"/{name}")
        assert answer.status_code == 200
        assert len(answer.content) > 100
