"""Routes that are asked all the time, with less between their address and their function.

FastAPI works out what a function asks for anew at each request, which is a tenth of the API's time for an upload. What
these ask for is known beforehand. They are described and found like every other route; and a request with a query goes
FastAPI's way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from inspect import signature
from typing import Any, get_type_hints

from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from pydantic.fields import FieldInfo
from starlette.requests import Request
from starlette.responses import Response

from pixelmill.api.auth import Reader, Uploader
from pixelmill.api.ids import BatchId
from pixelmill.api.parts import Given
from pixelmill.api.quotas import Room

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Finder = Callable[[Request], Awaitable[Any]]


async def _request(request: Request) -> Request:
    return request


def _by(annotation: Any) -> Any:
    """The function that FastAPI would call for it."""
    return annotation.__metadata__[0].dependency


def _caller(annotation: Any) -> Finder:
    needed = SecurityScopes([*annotation.__metadata__[0].scopes])
    return lambda request: _by(annotation)(request, needed)


async def _room(request: Request) -> Any:
    return await _by(Room)(request, await _by(Given)(request), await _caller(Uploader)(request))


_FINDERS: list[tuple[Any, Finder]] = [
    (Request, _request),
    (Given, _by(Given)),
    (Reader, _caller(Reader)),
    (Uploader, _caller(Uploader)),
    (Room, _room),
    (BatchId, lambda request: _by(BatchId)(request.path_params["batchId"])),
]


class Direct(APIRoute):
    """Its function may ask for what is in ``_FINDERS``, and for what the query may have or not.

    One that asks for anything else, or depends on what it does not ask for, is FastAPI's alone.
    """

    def get_route_handler(self) -> Handler:
        usual = super().get_route_handler()
        if self.dependencies:
            return usual
        hints = get_type_hints(self.endpoint, include_extras=True)
        in_query = {field.name for field in self.dependant.query_params if not field.field_info.is_required()}
        finders: list[tuple[str, Finder]] = []
        for name, parameter in signature(self.endpoint).parameters.items():
            finder = next((find for asked, find in _FINDERS if asked == hints[name]), None)
            if finder is not None:
                finders.append((name, finder))
            elif name not in in_query or isinstance(parameter.default, FieldInfo):
                return usual

        async def handle(request: Request) -> Response:
            if request.scope["query_string"]:
                return await usual(request)
            response: Response = await self.endpoint(**{name: await find(request) for name, find in finders})
            return response

        return handle
