"""Serving the built pages."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from pixelmill.web import Pages, prefers_html

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SCRIPT = "console.log(1);" * 200


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "dist" / "assets").mkdir(parents=True)
    (tmp_path / "dist" / "index.html").write_text("<!doctype html><title>Pixelmill</title>")
    (tmp_path / "dist" / "favicon.svg").write_text("<svg/>")
    (tmp_path / "dist" / "assets" / "index-a1b2.js").write_text(SCRIPT)
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path / "dist"


def client(dist: Path) -> httpx.AsyncClient:
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.get("/batches/{batch_id}")
    async def batch(batch_id: str) -> dict[str, str]:
        return {"batchId": batch_id}

    app.add_middleware(Pages, dist=dist)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://site")


async def test_the_page_is_at_the_root(dist: Path) -> None:
    async with client(dist) as site:
        answer = await site.get("/")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        again = await site.get("/", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (await site.get("/favicon.svg")).headers["content-type"] == "image/svg+xml"


async def test_assets_never_change_and_travel_packed(dist: Path) -> None:
    async with client(dist) as site:
        answer = await site.get("/assets/index-a1b2.js")
        assert answer.text == SCRIPT
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["content-type"].startswith(("text/javascript", "application/javascript"))
        assert "immutable" in answer.headers["cache-control"]
        plain = await site.get("/assets/index-a1b2.js", headers={"Accept-Encoding": "gzip;q=0, br"})
        assert plain.text == SCRIPT
        assert "content-encoding" not in plain.headers
        assert len(gzip.compress(SCRIPT.encode())) < len(SCRIPT)


async def test_one_address_is_a_page_for_people_and_json_for_programs(dist: Path) -> None:
    async with client(dist) as site:
        assert "<title>" in (await site.get("/batches/abc", headers={"Accept": BROWSER})).text
        for accept in ("application/json", "*/*", "application/json, text/html;q=0.5", ""):
            answer = await site.get("/batches/abc", headers={"Accept": accept})
            assert answer.json() == {"batchId": "abc"}


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/assets/nope.js",
        "/assets/",
        "/index.html",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/..%5csecret.txt",
        "/%00",
        "/assets/../../secret.txt",
    ],
)
async def test_nothing_else_is_served(dist: Path, path: str) -> None:
    async with client(dist) as site:
        answer = await site.get(path, headers={"Accept": BROWSER})
        assert answer.status_code == 404
        assert "secret" not in answer.text


async def test_pages_that_are_not_built_are_told_of_and_found_when_they_are(dist: Path) -> None:
    page = dist / "index.html"
    text = page.read_text()
    page.unlink()
    async with client(dist) as site:
        assert "make run" in (await site.get("/")).text
        assert (await site.get("/batches/abc", headers={"Accept": BROWSER})).json() == {"batchId": "abc"}
        page.write_text(text)
        assert "<title>" in (await site.get("/")).text
        page.write_text(text + "2")
        os.utime(page, (1, 1))
        assert (await site.get("/")).text.endswith("2")


def test_who_prefers_a_page() -> None:
    assert prefers_html(BROWSER)
    assert prefers_html("text/html")
    assert not prefers_html("application/problem+json, text/html")
    assert not prefers_html("image/*")
