"""Who may come in: keys, scopes, sessions, and a service that is open on its own machine."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import websockets
from sqlalchemy import select

from pixelmill.api import auth
from pixelmill.records import keys, tables
from tests.integration.api.test_process import SiteWith, problem
from tests.servers import LOOPBACK
from tests.sites import JPEG, Site
from tests.tenants import Tenant, tenant

PHOTO = [("images", ("a.jpg", JPEG))]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def test_the_first_key_ends_the_time_without_keys(site: Site) -> None:
    assert (await site.client.get("/batches")).status_code == 200
    who = (await site.client.get("/session")).json()
    assert (who["open"], who["signedIn"], who["owner"]) == (True, True, "")

    made = await site.client.post("/keys", json={"name": "first", "scopes": ["admin"]})
    assert made.status_code == 201
    assert made.headers["location"] == f"/keys/{made.json()['keyId']}"
    problem(await site.client.get("/batches"), 401, "no-key")
    who = (await site.client.get("/session")).json()
    assert (who["open"], who["signedIn"], who["owner"], who["scopes"]) == (False, False, None, [])

    secret = made.json()["secret"]
    assert (await site.client.get("/batches", headers=bearer(secret))).status_code == 200
    assert (await site.client.get("/batches", headers={"X-API-Key": secret})).status_code == 200
    # To revoke the last key opens nothing.
    revoked = await site.client.delete(made.headers["location"], headers=bearer(secret))
    assert revoked.json()["revokedAt"]
    problem(await site.client.get("/batches", headers=bearer(secret)), 401, "bad-key")
    problem(await site.client.get("/batches"), 401, "no-key")


async def test_a_key_that_another_process_makes_counts_within_a_second(site: Site) -> None:
    assert (await site.client.get("/batches")).status_code == 200
    await keys.make(site.parts.database, owner="", name="by command", scopes=["read"])
    while (await site.client.get("/batches")).status_code == 200:
        await asyncio.sleep(0.05)
    problem(await site.client.get("/batches"), 401, "no-key")


async def test_a_key_that_is_none(site: Site) -> None:
    async with tenant(site, "acme") as one:
        past = datetime.now(UTC) - timedelta(seconds=1)
        _, expired = await keys.make(site.parts.database, owner="", name="old", scopes=["read"], expires_at=past)
        almost = one.secret[:-1] + ("a" if one.secret[-1] != "a" else "b")
        for secret in (almost, expired, "pm_", "x" * 5000, "pm_000000000000_" + "A" * 43):
            answer = await site.client.get("/batches", headers=bearer(secret))
            problem(answer, 401, "bad-key")
            assert answer.headers["www-authenticate"] == 'Bearer realm="pixelmill", error="invalid_token"'
        for header in ("Basic YTpi", "Bearer", one.secret):
            problem(await site.client.get("/batches", headers={"Authorization": header}), 401, "bad-key")
        # A wrong key is not a missing one: it does not fall back to a session.
        session = await one.client.post("/session")
        cookies = {"pixelmill_session": session.cookies["pixelmill_session"]}
        async with httpx.AsyncClient(base_url=site.url, cookies=cookies) as browser:
            assert (await browser.get("/batches")).status_code == 200
            problem(await browser.get("/batches", headers=bearer(almost)), 401, "bad-key")


async def test_a_key_may_what_its_scopes_say(site: Site) -> None:
    async with (
        tenant(site, "acme", ["upload"]) as uploads,
        tenant(site, "acme", ["read"]) as reads,
        tenant(site, "acme", ["admin"]) as admin,
    ):
        sent = await uploads.client.post("/process-images", files=PHOTO)
        assert sent.status_code == 202
        where = sent.json()["statusUrl"]
        assert (await reads.client.get(where)).status_code == 200
        assert (await admin.client.get(where)).status_code == 200
        assert (await admin.client.post("/process-images", files=PHOTO)).status_code == 202
        for answer, scope in (
            (await uploads.client.get(where), "read"),
            (await reads.client.post("/process-images", files=PHOTO), "upload"),
            (await reads.client.delete(where), "upload"),
            (await reads.client.get("/keys"), "admin"),
            (await uploads.client.post("/keys", json={"name": "x", "scopes": ["admin"]}), "admin"),
        ):
            assert problem(answer, 403, "missing-scope")["scope"] == scope
            assert "insufficient_scope" in answer.headers["www-authenticate"]


async def test_only_who_manages_the_service_makes_keys_for_others(site: Site) -> None:
    wanted = {"name": "x", "scopes": ["read"], "owner": "bolt"}
    async with tenant(site, "acme") as one, tenant(site, "") as operator:
        problem(await one.client.post("/keys", json=wanted), 403, "missing-scope")
        problem(await one.client.post("/keys", json=wanted | {"owner": ""}), 403, "missing-scope")
        assert (await one.client.post("/keys", json=wanted | {"owner": "acme"})).json()["owner"] == "acme"
        made = await operator.client.post("/keys", json=wanted)
        assert made.json()["owner"] == "bolt"
        assert (await one.client.get(made.headers["location"])).status_code == 404
        problem(await operator.client.post("/keys", json=wanted | {"owner": "a b"}), 400, "bad-request")
        for seconds in (0, -1, 1.5, "60", True, 10**12):
            problem(await operator.client.post("/keys", json=wanted | {"expiresIn": seconds}), 400, "bad-request")
        problem(await operator.client.post("/keys", json=wanted | {"scopes": ["root"]}), 400, "bad-request")
        problem(await operator.client.post("/keys", json=wanted | {"scopes": []}), 400, "bad-request")


async def test_a_key_ends_when_it_was_told_to(site: Site) -> None:
    async with tenant(site, "acme") as one:
        made = await one.client.post("/keys", json={"name": "x", "scopes": ["read"], "expiresIn": 1})
        headers = bearer(made.json()["secret"])
        while (await site.client.get("/batches", headers=headers)).status_code == 200:
            await asyncio.sleep(0.1)
        problem(await site.client.get("/batches", headers=headers), 401, "bad-key")
        assert datetime.fromisoformat(made.json()["expiresAt"]) <= datetime.now(UTC)


async def test_the_secret_is_shown_once_and_kept_nowhere(site: Site) -> None:
    async with tenant(site, "acme") as one:
        made = (await one.client.post("/keys", json={"name": "x", "scopes": ["read"]})).json()
        random = made["secret"].rpartition("_")[2]
        assert made["secret"] == f"{made['prefix']}_{random}"
        for path in ("/keys", f"/keys/{made['keyId']}", "/audit"):
            assert random not in (await one.client.get(path)).text
        kept = (site.settings.data_dir / "pixelmill.db").read_bytes()
        wal = (site.settings.data_dir / "pixelmill.db-wal").read_bytes()
        assert made["keyId"].encode() in kept + wal
        assert random.encode() not in kept + wal


async def test_changes_of_keys_are_audited(site: Site) -> None:
    async with tenant(site, "acme") as one:
        made = (await one.client.post("/keys", json={"name": "x", "scopes": ["read"]})).json()
        for _ in range(2):  # the second one changes nothing
            assert (await one.client.delete(f"/keys/{made['keyId']}")).status_code == 200
        lines = (await one.client.get("/audit")).json()["lines"]
        assert [(line["action"], line["keyId"], line["target"]) for line in lines] == [
            ("key.revoked", one.key_id, made["keyId"]),
            ("key.made", one.key_id, made["keyId"]),
        ]
        page = (await one.client.get("/audit?limit=1")).json()
        rest = (await one.client.get(f"/audit?limit=1&cursor={page['nextCursor']}")).json()
        assert page["lines"] + rest["lines"] == lines


async def test_when_a_key_was_used_is_noted_once_a_minute(site: Site) -> None:
    async with tenant(site, "acme") as one:
        noted = []
        for _ in range(3):
            await one.client.get("/batches")
            await asyncio.gather(*site.app.state.door._tasks)
            noted.append((await one.client.get(f"/keys/{one.key_id}")).json()["lastUsedAt"])
    assert noted[0] is not None
    assert len(set(noted)) == 1


@pytest.mark.parametrize("host", ["rebound.example", "192.0.2.1", "localhost.example", "", "[::ffff:1.2.3.4]"])
async def test_an_open_service_answers_to_its_own_names_only(site: Site, host: str) -> None:
    problem(await site.client.get("/batches", headers={"Host": host}), 403, "cross-site")
    # What tells nothing is told to all.
    assert (await site.client.get("/livez", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("host", ["localhost:3000", "127.0.0.1", "127.9.8.7:1", "[::1]:3000", "studio.localhost"])
async def test_names_of_this_machine(site: Site, host: str) -> None:
    assert (await site.client.get("/batches", headers={"Host": host})).status_code == 200


async def test_pages_of_other_sites_cannot_act_on_an_open_service(site: Site) -> None:
    for origin in ("https://evil.example", "null", f"http://{LOOPBACK}.evil.example:{site.port}"):
        answer = await site.client.post("/process-images", files=PHOTO, headers={"Origin": origin})
        problem(answer, 403, "cross-site")
    for origin in (site.url, "http://localhost:5173"):
        answer = await site.client.post("/process-images", files=PHOTO, headers={"Origin": origin})
        assert answer.status_code == 202


async def test_open_to_others_only_when_told_so(site_with: SiteWith) -> None:
    async with site_with(allow_open=True) as site:
        assert (await site.client.get("/batches", headers={"Host": "pictures.example"})).status_code == 200


# Browsers


async def sign_in(one: Tenant) -> httpx.Response:
    answer = await one.client.post("/session")
    assert answer.status_code == 200, answer.text
    return answer


async def test_a_session_stands_for_the_key(site: Site) -> None:
    async with tenant(site, "acme") as one, httpx.AsyncClient(base_url=site.url) as browser:
        answer = await sign_in(one)
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        assert one.secret not in cookie
        browser.cookies.set("pixelmill_session", answer.cookies["pixelmill_session"])
        assert (await browser.get("/batches")).status_code == 200
        who = (await browser.get("/session")).json()
        assert who == answer.json()

        # What changes something needs the token too.
        problem(await browser.post("/process-images", files=PHOTO), 403, "cross-site")
        problem(
            await browser.post("/process-images", files=PHOTO, headers={"X-CSRF-Token": "0" * 32}), 403, "cross-site"
        )
        token = {"X-CSRF-Token": who["csrfToken"]}
        assert (await browser.post("/process-images", files=PHOTO, headers=token)).status_code == 202
        evil = token | {"Origin": "https://evil.example"}
        problem(await browser.post("/process-images", files=PHOTO, headers=evil), 403, "cross-site")

        await keys.revoke(site.parts.database, one.key_id)
        problem(await browser.get("/batches"), 401, "bad-key")
        assert "Max-Age=0" in (await browser.delete("/session")).headers["set-cookie"]


async def test_over_https_the_cookie_stays_there(site: Site) -> None:
    async with tenant(site, "acme") as one:
        answer = await one.client.post("/session", headers={"X-Forwarded-Proto": "https"})
        assert "Secure" in answer.headers["set-cookie"].split("; ")


async def test_a_cookie_that_is_not_ours_or_too_old(site_with: SiteWith) -> None:
    async with site_with(session_seconds=1) as site, tenant(site, "acme") as one:
        cookie = (await sign_in(one)).cookies["pixelmill_session"]
        forged = cookie[:-2] + ("aa" if cookie[-2:] != "aa" else "bb")
        for value in (forged, "x", cookie.split(".")[0]):
            async with httpx.AsyncClient(base_url=site.url, cookies={"pixelmill_session": value}) as browser:
                problem(await browser.get("/batches"), 401, "no-key")
        async with httpx.AsyncClient(base_url=site.url, cookies={"pixelmill_session": cookie}) as browser:
            while (await browser.get("/batches")).status_code == 200:
                await asyncio.sleep(0.1)
            problem(await browser.get("/batches"), 401, "no-key")


async def test_a_live_socket_needs_a_key_of_its_tenant(site: Site) -> None:
    async with tenant(site, "acme") as one, tenant(site, "bolt") as other, tenant(site, "acme", ["upload"]) as uploads:
        sent = await one.client.post("/process-images", files=PHOTO)
        url = f"ws://{LOOPBACK}:{site.port}{sent.json()['statusUrl']}/ws"
        async with websockets.connect(url, additional_headers=bearer(one.secret)) as socket:
            assert "batch.accepted" in str(await socket.recv())
        for headers in ({}, bearer(other.secret), bearer(uploads.secret), bearer("pm_x")):
            with pytest.raises(websockets.WebSocketException):
                async with websockets.connect(url, additional_headers=headers) as socket:
                    await socket.recv()
        # A browser says where its page is from.
        cookie = {"Cookie": f"pixelmill_session={(await sign_in(one)).cookies['pixelmill_session']}"}
        token = (await one.client.get("/session", headers=cookie)).json()
        assert token
        with pytest.raises(websockets.WebSocketException):
            async with websockets.connect(url, additional_headers=cookie, origin="https://evil.example") as socket:
                await socket.recv()


async def test_a_revoked_key_hears_nothing_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "STILL", 0)
    async with tenant(site, "acme") as one:
        sent = await one.client.post("/process-images", files=PHOTO)
        where = sent.json()["statusUrl"]
        job = (await one.client.get(where)).json()["files"][0]["jobId"]
        url = f"ws://{LOOPBACK}:{site.port}{where}/ws"
        async with (
            one.client.stream("GET", f"{where}/events") as stream,
            websockets.connect(url, additional_headers=bearer(one.secret)) as socket,
        ):
            lines = stream.aiter_lines()
            while "batch.accepted" not in await anext(lines):
                pass
            assert "batch.accepted" in str(await socket.recv())
            await keys.revoke(site.parts.database, one.key_id)
            await site.make(await site.claim(job), JPEG)
            assert not [line async for line in lines if line.startswith("data")]
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd
            assert closed.value.rcvd.code == 1008


async def test_a_page_of_another_origin_needs_a_setting_and_a_key(site_with: SiteWith) -> None:
    preflight = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,idempotency-key",
    }
    async with site_with(cors_origins=("https://shop.example",)) as site, tenant(site, "acme") as one:
        answer = await site.client.options("/process-images", headers=preflight)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert "access-control-allow-credentials" not in answer.headers
        evil = preflight | {"Origin": "https://evil.example"}
        refused = await site.client.options("/process-images", headers=evil)
        assert "access-control-allow-origin" not in refused.headers
        sent = await one.client.post("/process-images", files=PHOTO, headers={"Origin": "https://shop.example"})
        assert sent.status_code == 202
        assert sent.headers["access-control-allow-origin"] == "https://shop.example"
        assert "Location" in sent.headers["access-control-expose-headers"]
        # Also of an error, the page may read what it is.
        failed = await site.client.get("/batches", headers={"Origin": "https://shop.example"})
        problem(failed, 401, "no-key")
        assert failed.headers["access-control-allow-origin"] == "https://shop.example"


async def test_without_the_setting_no_origin_is_allowed(site: Site) -> None:
    answer = await site.client.get("/livez", headers={"Origin": "https://shop.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_what_is_sent_belongs_to_the_tenant(site: Site) -> None:
    async with tenant(site, "acme") as one:
        await one.client.post("/process-images", files=PHOTO)
    async with site.parts.database.read() as connection:
        for table in (tables.batches, tables.images):
            assert (await connection.scalars(select(table.c.owner))).all() == ["acme"]
