"""Errors on the wire: RFC 9457 problem documents, one stable ``type`` for each code of :mod:`pixelmill.errors`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pixelmill.errors import CODES, PixelmillError

MEDIA_TYPE = "application/problem+json"

log = structlog.stdlib.get_logger(__name__)

#: Statuses that Starlette and FastAPI raise by themselves, as our codes.
_BY_STATUS = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large-request",
    415: "unsupported-media-type",
    422: "bad-request",
}


#: What RFC 6750 has a client told about its key.
_CHALLENGES = {
    "no-key": "",
    "bad-key": ', error="invalid_token"',
    "missing-scope": ', error="insufficient_scope"',
}


def document(error: PixelmillError, instance: str = "") -> dict[str, Any]:
    """The problem document of ``error``; ``instance`` is the path that was asked for."""
    spec = error.spec
    told: dict[str, Any] = {
        "type": f"/problems/{spec.slug}",
        "title": spec.title,
        "status": spec.status,
        "detail": error.detail,
        "code": spec.slug,
    }
    if instance:
        told["instance"] = instance
    return told | {name: value for name, value in error.extra.items() if name not in told}


def response(error: PixelmillError, instance: str = "", headers: Mapping[str, str] | None = None) -> Response:
    more = dict(headers or {})
    if error.spec.status == 503:
        more.setdefault("Retry-After", "2")
    if "retryAfter" in error.extra:
        more.setdefault("Retry-After", str(error.extra["retryAfter"]))
    if error.spec.slug in _CHALLENGES:
        more.setdefault("WWW-Authenticate", f'Bearer realm="pixelmill"{_CHALLENGES[error.spec.slug]}')
    return Response(
        json.dumps(document(error, instance), ensure_ascii=False),
        error.spec.status,
        {"Cache-Control": "no-store"} | more,
        MEDIA_TYPE,
    )


def from_exception(error: Exception) -> PixelmillError:
    """What a caller may know of ``error``: nothing of an unexpected one, which must be logged where it is met."""
    if isinstance(error, PixelmillError):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException) and error.status_code in _BY_STATUS:
        # Starlette's own words for 404 and 405 are only the names of the statuses.
        said = {404: "There is nothing at this address; see /docs.", 405: ""}.get(error.status_code, str(error.detail))
        return PixelmillError(_BY_STATUS[error.status_code], said)
    return PixelmillError("internal-error")


def _invalid(error: RequestValidationError) -> PixelmillError:
    wrong = [
        {"in": str(found["loc"][0]), "name": ".".join(map(str, found["loc"][1:])), "detail": str(found["msg"])}
        for found in error.errors()
    ]
    first = wrong[0]
    return PixelmillError("bad-request", f"{first['name'] or first['in']}: {first['detail']}.", {"errors": wrong})


def install(app: FastAPI) -> None:
    """Make every error that a route raises a problem. Unexpected ones are met further out, by ``envelope``."""

    async def handle(request: Request, error: Exception) -> Response:
        problem = from_exception(error)
        if problem.code == "internal-error" and not isinstance(error, PixelmillError):
            log.error("unexpected", path=request.url.path, exc_info=error)
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        if problem.code == "method-not-allowed":
            headers["Allow"] = ", ".join(sorted(_allowed(request)))
        return response(problem, request.url.path, headers)

    for kind in (PixelmillError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, handle)


def _allowed(request: Request) -> set[str]:
    """Every method that the address takes: Starlette names only those of the first route that fits.

    An address that is a route's very own (`/dead-letters/replay`) is not also an id of another (`/dead-letters/{id}`).
    """
    path = request.scope["path"]
    routes: Iterable[APIRoute] = request.app.state.routes
    fitting = [route for route in routes if route.path_regex.match(path)]
    own = [route for route in fitting if route.path == path]
    methods = {method for route in own or fitting for method in route.methods or ()}
    return methods | {"HEAD"} if "GET" in methods else methods


def responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's ``responses`` for the problems that a route may answer with."""
    found: dict[int | str, dict[str, Any]] = {}
    for slug in codes:
        spec = CODES[slug]
        entry = found.setdefault(
            spec.status,
            {
                "description": "",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        entry["description"] = " or ".join(filter(None, (entry["description"], spec.title)))
        entry["content"][MEDIA_TYPE]["examples"][slug] = {"value": document(PixelmillError(slug))}
    return found
