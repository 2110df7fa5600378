"""``/keys``: make, list and revoke API keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from pixelmill.api import problems, schemas
from pixelmill.api.auth import Admin, Caller, Door
from pixelmill.api.ids import Cursor, gone
from pixelmill.api.parts import Given
from pixelmill.errors import PixelmillError
from pixelmill.records import keys
from pixelmill.records.tables import now

router = APIRouter(tags=["keys"])

#: Seconds: ten years.
LONGEST = 3650 * 86400

KeyId = Annotated[str, Path(max_length=100, examples=["0197a1c2-7b1e-7c3a-9d0e-2f6a1b3c4d5e"])]
Limit = Annotated[int, Field(ge=0, le=2**53), schemas.WHOLE]


class KeyLimits(schemas.Shape):
    """Limits of this key in place of the service's; 0 is none."""

    requests_per_minute: Limit | None = None
    bytes_per_day: Limit | None = None
    images_in_flight: Limit | None = None


#: Control characters have no place in a list that people read.
NO_CONTROLS = r"^[^\u0000-\u001f\u007f-\u009f]+$"


class NewKey(schemas.Shape):
    """What a key is to be."""

    name: str = Field(min_length=1, max_length=255, pattern=NO_CONTROLS, examples=["shop"], description="For people.")
    scopes: list[Literal["upload", "read", "admin"]] = Field(
        min_length=1, examples=[["upload", "read"]], description="`admin` includes the others."
    )
    owner: str | None = Field(
        None, description="The tenant it is for; yours if not given. Another one only if you manage the whole service."
    )
    expires_in: Annotated[int, Field(ge=1, le=LONGEST), schemas.WHOLE] | None = Field(
        None, description="Seconds that it is good for; for ever, if not given."
    )
    limits: KeyLimits = KeyLimits()


class KeyOut(schemas.Shape):
    key_id: str
    name: str
    owner: str
    prefix: str = Field(description="The start of the key: enough to know it by, worth nothing.")
    scopes: list[str]
    limits: dict[str, int]
    created_at: schemas.Time
    expires_at: schemas.Time | None
    revoked_at: schemas.Time | None
    last_used_at: schemas.Time | None = Field(description="To the minute.")


class MadeKey(KeyOut):
    secret: str = Field(description="The key itself. It is shown now and never again.")


class KeyPage(schemas.Shape):
    keys: list[KeyOut]
    next_cursor: str | None


def _told(key: keys.Key) -> dict[str, object]:
    return {
        "key_id": key.id,
        "name": key.name,
        "owner": key.owner,
        "prefix": key.prefix,
        "scopes": sorted(key.scopes),
        "limits": key.limits,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }


@router.post(
    "/keys",
    status_code=201,
    summary="Make a key",
    response_model=MadeKey,
    responses={
        201: {"headers": {"Location": {"description": "The key.", "schema": {"type": "string"}}}},
        **problems.responses("bad-request", "missing-scope", "unavailable"),
    },
)
async def make_key(request: Request, parts: Given, caller: Admin, wanted: NewKey) -> Response:
    """`secret` is in this answer only. With the first key the service stops being open."""
    owner = _owner(caller, wanted.owner)
    expires_at = None if wanted.expires_in is None else now() + timedelta(seconds=wanted.expires_in)
    key, secret = await keys.make(
        parts.database,
        owner=owner,
        name=wanted.name,
        scopes=wanted.scopes,
        limits=wanted.limits.model_dump(by_alias=True, exclude_none=True),
        expires_at=expires_at,
        by=caller.by,
    )
    door: Door = request.app.state.door
    door.lock()
    made = MadeKey.model_validate(_told(key) | {"secret": secret})
    return schemas.answer(made, 201, {"Location": f"/keys/{key.id}", "Cache-Control": "no-store"})


def _owner(caller: Caller, wanted: str | None) -> str:
    if wanted is None or wanted == caller.owner:
        return caller.owner
    if not caller.operator:
        raise PixelmillError("missing-scope", "Only who manages the whole service makes keys for others.")
    if not keys.owner_is_fine(wanted):
        raise PixelmillError("bad-request", "owner: up to 64 letters, digits and . _ @ -, a letter or digit first.")
    return wanted


@router.get(
    "/keys",
    summary="List keys, newest first",
    response_model=KeyPage,
    responses=problems.responses("bad-request", "missing-scope", "unavailable"),
)
async def list_keys(
    parts: Given, caller: Admin, cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> Response:
    found, following = await keys.page(parts.database, owner=caller.view, cursor=cursor, limit=limit)
    page = KeyPage(keys=[KeyOut.model_validate(_told(one)) for one in found], next_cursor=following)
    return schemas.answer(page, headers={"Cache-Control": "no-store"})


@router.get(
    "/keys/{keyId}",
    summary="One key",
    response_model=KeyOut,
    responses=problems.responses("not-found", "missing-scope", "unavailable"),
)
async def get_key(parts: Given, caller: Admin, keyId: KeyId) -> Response:
    key = await keys.find(parts.database, keyId)
    if key is None or not caller.sees(key.owner):
        raise gone("key", keyId)
    return schemas.answer(KeyOut.model_validate(_told(key)), headers={"Cache-Control": "no-store"})


@router.delete(
    "/keys/{keyId}",
    summary="Revoke a key",
    response_model=KeyOut,
    responses=problems.responses("not-found", "missing-scope", "unavailable"),
)
async def revoke_key(parts: Given, caller: Admin, keyId: KeyId) -> Response:
    """From now on it is refused, everywhere. It stays in the list."""
    key = await keys.revoke(parts.database, keyId, owner=caller.view, by=caller.by)
    if key is None:
        raise gone("key", keyId)
    return schemas.answer(KeyOut.model_validate(_told(key)), headers={"Cache-Control": "no-store"})
