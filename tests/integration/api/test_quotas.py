"""Rate limits and quotas, by key and by address."""

from __future__ import annotations

import asyncio
import re

import httpx

from tests.integration.api.test_process import SiteWith, nothing_is_left, problem
from tests.sites import JPEG, Site, multipart
from tests.tenants import tenant

FORM = {"Content-Type": "multipart/form-data; boundary=frontier"}
PHOTO = [("images", ("a.jpg", JPEG))]


def refused(answer: httpx.Response, policy: str) -> int:
    """Seconds to wait, as a client is told that it asked too much."""
    told = problem(answer, 429, "quota-exceeded")
    assert told["violated-policies"] == [policy]
    seconds = int(answer.headers["retry-after"])
    assert seconds >= 1
    return seconds


async def test_requests_in_a_minute(site_with: SiteWith) -> None:
    async with site_with(requests_per_minute=5) as site, tenant(site, "acme") as one, tenant(site, "acme") as other:
        left = []
        for _ in range(5):
            answer = await one.client.get("/batches")
            assert answer.status_code == 200
            assert answer.headers["ratelimit-policy"] == '"requests";q=5;w=60'
            found = re.fullmatch(r'"requests";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
            assert found
            assert 0 <= int(found[2]) <= 60
            left.append(int(found[1]))
        assert left == [4, 3, 2, 1, 0]
        answer = await one.client.get("/batches")
        assert refused(answer, "requests") <= 120
        assert answer.headers["ratelimit"].startswith('"requests";r=0;')
        # Others have quotas of their own, and probes none.
        assert (await other.client.get("/batches")).status_code == 200
        assert (await one.client.get("/livez")).status_code == 200
        assert "ratelimit" not in (await one.client.get("/readyz")).headers


async def test_a_key_may_have_limits_of_its_own(site_with: SiteWith) -> None:
    none = {"requestsPerMinute": 0}
    async with (
        site_with(requests_per_minute=2) as site,
        tenant(site, "a", limits=none) as free,
        tenant(site, "b") as usual,
    ):
        assert {(await free.client.get("/batches")).status_code for _ in range(5)} == {200}
        assert [(await usual.client.get("/batches")).status_code for _ in range(3)] == [200, 200, 429]


async def test_without_keys_an_address_has_the_quota(site_with: SiteWith) -> None:
    async with site_with(requests_per_minute=30) as site:
        found = [(await site.client.get("/batches")).status_code for _ in range(40)]
        assert found.count(429) >= 10
        # Guesses at keys are counted there, too.
        guess = {"Authorization": "Bearer pm_000000000000_" + "A" * 43}
        refused(await site.client.get("/batches", headers=guess), "requests")


async def test_bytes_in_a_day(site_with: SiteWith) -> None:
    body = multipart([("a.jpg", JPEG)])
    async with site_with() as site, tenant(site, "acme", limits={"bytesPerDay": 2 * len(body) + 10}) as one:
        for left in (len(body) + 10, 10):
            answer = await one.client.post("/process-images", content=body, headers=FORM)
            assert answer.status_code == 202
            assert f'"bytes";r={left};' in answer.headers["ratelimit"]
            assert f'"bytes";q={2 * len(body) + 10};w=86400;qu="content-bytes"' in answer.headers["ratelimit-policy"]
        before = site.stored()
        # By its header, before a byte of it is read; and what asks for nothing may go on.
        refused(await one.client.post("/process-images", content=body, headers=FORM), "bytes")
        assert (await one.client.get("/batches")).status_code == 200
        assert site.stored() == before


async def test_bytes_of_a_body_of_unknown_length(site_with: SiteWith) -> None:
    whole = multipart([("a.jpg", JPEG + bytes(100_000))])

    async def body():  # type: ignore[no-untyped-def]
        for start in range(0, len(whole), 10_000):
            yield whole[start : start + 10_000]
            await asyncio.sleep(0)

    async with site_with() as site, tenant(site, "acme", limits={"bytesPerDay": 50_000}) as one:
        refused(await one.client.post("/process-images", content=body(), headers=FORM), "bytes")
        await nothing_is_left(site)


async def test_images_in_flight(site_with: SiteWith) -> None:
    async with site_with(images_in_flight=2) as site, tenant(site, "acme") as one, tenant(site, "bolt") as other:
        first = await one.client.post("/process-images", files=PHOTO)
        assert (await one.client.post("/process-images", files=PHOTO)).status_code == 202
        refused(await one.client.post("/process-images", files=PHOTO), "images")
        assert (await other.client.post("/process-images", files=PHOTO)).status_code == 202
        batch = (await one.client.get(first.json()["statusUrl"])).json()
        await site.make(await site.claim(batch["files"][0]["jobId"]), JPEG)
        assert (await one.client.post("/process-images", files=PHOTO)).status_code == 202


async def test_images_in_flight_that_come_at_once(site_with: SiteWith) -> None:
    async with site_with(images_in_flight=3) as site, tenant(site, "acme") as one:
        answers = await asyncio.gather(*(one.client.post("/process-images", files=PHOTO * 2) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [202, 429, 429, 429]
        problem(await one.client.post("/process-images", files=PHOTO * 4), 413, "too-many-files")
        assert (await one.client.post("/process-images", files=PHOTO)).status_code == 202


async def test_a_service_with_too_much_to_do_says_when_to_come_again(site_with: SiteWith) -> None:
    async with site_with(max_waiting=2) as site:
        await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG))

        async def answer(code: int) -> httpx.Response:
            """What an upload is answered once the depth was counted again."""
            async with asyncio.timeout(60):
                while True:
                    told = await site.client.post("/process-images", files=PHOTO)
                    if told.status_code == code:
                        return told
                    await asyncio.sleep(0.05)

        full = await answer(429)
        problem(full, 429, "overloaded")
        assert int(full.headers["retry-after"]) >= 1
        body = {"sources": [{"url": "https://a.example/a.jpg"}]}
        problem(await site.client.post("/batches", json=body), 429, "overloaded")
        for one in (await site.client.get("/batches")).json()["batches"]:
            await site.client.delete(f"/batches/{one['batchId']}")
        await answer(202)


async def test_it_goes_on_counting_when_the_server_is_away(site_with: SiteWith) -> None:
    nowhere = {"redis_url": None, "redis_host": "127.0.0.1", "redis_port": 1}
    async with site_with(requests_per_minute=3, **nowhere) as site, tenant(site, "acme") as one:
        assert [(await one.client.get("/batches")).status_code for _ in range(4)] == [200, 200, 200, 429]


async def test_headers_and_addresses_have_a_size(site: Site) -> None:
    problem(await site.client.get("/batches", headers={"X-Long": "x" * 33_000}), 431, "headers-too-large")
    problem(await site.client.get("/batches", params={"cursor": "x" * 9_000}), 414, "address-too-long")


async def test_json_has_a_size(site: Site) -> None:
    async def drip():  # type: ignore[no-untyped-def]
        for _ in range(30):
            yield b" " * 50_000

    headers = {"Content-Type": "application/json"}
    for body in (b" " * 1_100_000, drip()):
        problem(await site.client.post("/keys", content=body, headers=headers), 413, "too-large-request")
