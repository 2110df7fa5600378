"""``/livez``, ``/readyz``, ``/problems/{code}``: how the service is, and what its errors mean."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from pixelmill.api import problems
from pixelmill.api.auth import PUBLIC
from pixelmill.api.ids import gone
from pixelmill.api.parts import Given, TheHub
from pixelmill.errors import CODES
from pixelmill.records import batches

router = APIRouter(tags=["service"])

#: Seconds in which each part must answer to be ready.
PATIENCE = 2.0


@router.get("/livez", summary="Whether this process runs", dependencies=[PUBLIC])
async def livez() -> dict[str, str]:
    """Asks no other part: a process that answers is not to be restarted because a database is down."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    dependencies=[PUBLIC],
    summary="Whether requests can be taken",
    responses={503: {"description": "A part does not answer, or the process is stopping."}},
)
async def readyz(parts: Given, hub: TheHub) -> JSONResponse:
    checks = {
        "records": _answers(batches.find(parts.database, "-")),
        "storage": _answers(parts.storage.check()),
        "queue": _answers(parts.queue.ping()),
    }
    found = dict(zip(checks, await asyncio.gather(*checks.values()), strict=True))
    # Without the queue requests are still taken: what is accepted is in the records, and is queued when it is back.
    ready = not hub.closing and found["records"] and found["storage"]
    words = {name: "ok" if ok else "not answering" for name, ok in found.items()}
    status = "stopping" if hub.closing else "ok" if ready else "not ready"
    return JSONResponse(
        {"status": status, "checks": words}, 200 if ready else 503, headers={"Cache-Control": "no-store"}
    )


async def _answers(question: Awaitable[Any]) -> bool:
    """Whether it is answered in time, and not by False."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await question is not False
    except Exception:
        return False


@router.get(
    "/problems/{code}",
    dependencies=[PUBLIC],
    summary="What an error means, and what to do",
    responses={
        200: {
            "content": {
                "application/json": {
                    "example": {
                        "code": "no-files",
                        "title": "No files",
                        "status": 400,
                        "advice": "Send at least one file in the multipart field `images`.",
                        "permanent": True,
                    }
                },
                "text/html": {"schema": {"type": "string"}},
            }
        },
        **problems.responses("not-found"),
    },
)
async def problem(request: Request, code: str) -> Response:
    """Every `type` of a problem is an address here. `permanent`: trying the same again cannot help."""
    spec = CODES.get(code)
    if spec is None:
        raise gone("problem", code)
    headers = {"Vary": "Accept", "Cache-Control": "max-age=3600"}
    if "text/html" in request.headers.get("accept", ""):
        page = (
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(spec.title)}</title>"
            f"<h1>{html.escape(spec.title)}</h1><p>{html.escape(spec.advice)}</p>"
            f"<p><code>{html.escape(spec.slug)}</code>, HTTP status {spec.status}</p></html>"
        )
        return Response(page, headers=headers, media_type="text/html")
    told = {"code": spec.slug, "title": spec.title, "status": spec.status, "advice": spec.advice}
    return JSONResponse(told | {"permanent": spec.permanent}, headers=headers)
