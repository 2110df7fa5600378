"""``/audit``: who changed what for others."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from pixelmill.api import problems, schemas
from pixelmill.api.auth import Admin
from pixelmill.api.ids import Cursor
from pixelmill.api.parts import Given
from pixelmill.records import audit

router = APIRouter(tags=["keys"])


class AuditLine(schemas.Shape):
    at: schemas.Time
    owner: str
    key_id: str | None = Field(description="The key that did it; null: the command line, or an open service.")
    action: str = Field(examples=["key.made"])
    target: str | None = Field(description="The id of what was changed.")
    data: dict[str, Any]


class AuditPage(schemas.Shape):
    lines: list[AuditLine]
    next_cursor: str | None


@router.get(
    "/audit",
    summary="What administrators did, newest first",
    response_model=AuditPage,
    responses=problems.responses("bad-request", "missing-scope", "unavailable"),
)
async def list_audit(
    parts: Given, caller: Admin, cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> Response:
    found, following = await audit.page(parts.database, owner=caller.view, cursor=cursor, limit=limit)
    lines = [
        AuditLine(at=one.at, owner=one.owner, key_id=one.key_id, action=one.action, target=one.target, data=one.data)
        for one in found
    ]
    return schemas.answer(AuditPage(lines=lines, next_cursor=following), headers={"Cache-Control": "no-store"})
