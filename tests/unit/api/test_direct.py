"""Routes that find what they ask for themselves: the same as FastAPI finds, and nothing is passed by."""

from __future__ import annotations

from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from pixelmill.api import direct, problems
from pixelmill.api.auth import Caller, Reader, Uploader
from pixelmill.api.direct import Direct
from pixelmill.api.ids import BatchId
from pixelmill.api.parts import Given
from pixelmill.api.quotas import Room
from pixelmill.api.routes import batches, process

passed: list[str] = []


async def _counted() -> None:
    passed.append("dependency")


def _app(route_class: type[APIRoute]) -> FastAPI:
    router = APIRouter(route_class=route_class)

    @router.post("/room")
    async def room(request: Request, parts: Given, caller: Uploader, room: Room) -> Response:
        return JSONResponse([request.url.path, str(parts), caller.owner, room])

    @router.get("/batches/{batchId}")
    async def batch(
        caller: Reader, batch_id: BatchId, limit: Annotated[int, Query(ge=1)] = 20, status: str | None = None
    ) -> Response:
        return JSONResponse([caller.owner, batch_id, limit, status])

    @router.get("/asks")
    async def asks(caller: Reader, number: int) -> Response:
        return JSONResponse(number)

    @router.get("/old")
    async def old(caller: Reader, limit: int = Query(20)) -> Response:
        return JSONResponse(limit)

    @router.get("/header")
    async def header(caller: Reader, accept: Annotated[str, Header()] = "none") -> Response:
        return JSONResponse(accept)

    @router.get("/depends", dependencies=[Depends(_counted)])
    async def depends(caller: Reader) -> Response:
        return JSONResponse(passed)

    app = FastAPI()
    app.state.parts = "the parts"
    app.state.quotas = Quotas()
    app.include_router(router)
    problems.install(app)
    return app


class Quotas:
    async def room(self, caller: Caller) -> int:
        return len(caller.owner)


async def _told(route_class: type[APIRoute], method: str, url: str, scopes: set[str]) -> tuple[int, Any]:
    passed.clear()
    app = _app(route_class)

    async def known(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"caller": Caller("acme", frozenset(scopes))}}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(known), base_url="http://t") as client:
        answer = await client.request(method, url)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("POST", "/room", 200),
        ("POST", "/room?x=1", 200),
        ("GET", "/batches/a-1", 200),
        ("GET", "/batches/a-1?limit=3&status=completed", 200),
        ("GET", "/batches/a-1?limit=0", 400),
        ("GET", "/batches/none_such", 404),
        ("GET", "/asks?number=7", 200),
        ("GET", "/asks", 400),
        ("GET", "/old", 200),
        ("GET", "/header", 200),
        ("GET", "/depends", 200),
    ],
)
@pytest.mark.parametrize("scopes", [{"upload", "read"}, set()])
async def test_it_answers_as_fastapi_does(method: str, url: str, status: int, scopes: set[str]) -> None:
    ours = await _told(Direct, method, url, scopes)
    assert ours == await _told(APIRoute, method, url, scopes)
    assert ours[0] == (status if scopes else 403)


async def test_less_lies_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """That the quick way is the one that is taken, by the routes it is for."""

    async def never(*_: Any) -> None:
        raise AssertionError("FastAPI's way")

    monkeypatch.setattr(APIRoute, "get_route_handler", lambda _: never)
    assert (await _told(Direct, "POST", "/room", {"upload"}))[1] == ["/room", "the parts", "acme", 4]
    assert (await _told(Direct, "GET", "/batches/a-1", {"read"}))[1] == ["acme", "a-1", 20, None]
    routes = [*process.router.routes, *batches.router.routes]
    handlers = [route.get_route_handler() for route in routes if isinstance(route, direct.Direct)]
    assert len(handlers) == len(routes) == 4
    assert never not in handlers
