"""Shares: links that show a batch to whoever has one, until they end or are revoked."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import Field
from starlette.responses import Response

from pixelmill.api import owned, problems, schemas
from pixelmill.api.auth import PUBLIC, Caller, Uploader
from pixelmill.api.ids import BatchId, Position, known
from pixelmill.api.parts import Given
from pixelmill.api.routes.batches import shown
from pixelmill.errors import PixelmillError
from pixelmill.pipeline.presence import new_id
from pixelmill.records import batches, shares
from pixelmill.records.models import Share
from pixelmill.records.tables import now

router = APIRouter(tags=["results"])

#: Seconds that the links in a shared batch are good: longer, and revoking the share would end them late.
LINKS = 900
LONGEST = 366 * 86400
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}\Z")

ShareId = Annotated[str, Path(max_length=36, examples=["0197a1c2-7b1e-7c3a-9d0e-2f6a1b3c4d5e"])]


class NewShare(schemas.Shape):
    expires_in: schemas.Whole = Field(7 * 86400, ge=60, le=LONGEST, description="Seconds that the link is to be good.")


class ShareOut(schemas.Shape):
    share_id: str
    batch_id: str
    created_at: schemas.Time
    expires_at: schemas.Time


class MadeShare(ShareOut):
    url: str = Field(description="The link. It is shown now and never again.", examples=["/shares/…"])


class ShareList(schemas.Shape):
    shares: list[ShareOut]


def _told(one: Share) -> dict[str, object]:
    return {
        "share_id": one.id,
        "batch_id": one.batch_id,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
    }


async def _own(parts: Given, caller: Caller, batch_id: str) -> None:
    """Who shares a batch must be able to read it."""
    if not caller.may("read"):
        raise PixelmillError("missing-scope", extra={"scope": "read"})
    await owned.batch(parts, caller, batch_id)


@router.post(
    "/batches/{batchId}/shares",
    status_code=201,
    summary="Make a link to a batch",
    response_model=MadeShare,
    responses={
        201: {"headers": {"Location": {"description": "What the link shows.", "schema": {"type": "string"}}}},
        **problems.responses("bad-request", "not-found", "missing-scope", "unavailable"),
    },
)
async def make_share(parts: Given, caller: Uploader, batch_id: BatchId, wanted: NewShare) -> Response:
    """Whoever has `url` sees the batch and its results without a key, until it ends or is revoked."""
    await _own(parts, caller, batch_id)
    token = secrets.token_urlsafe(32)
    share = await shares.create(
        parts.database,
        new_id(),
        token,
        owner=caller.owner,
        batch_id=batch_id,
        expires_at=now() + timedelta(seconds=wanted.expires_in),
    )
    made = MadeShare.model_validate(_told(share) | {"url": f"/shares/{token}"})
    return schemas.answer(made, 201, {"Location": made.url, "Cache-Control": "no-store"})


@router.get(
    "/batches/{batchId}/shares",
    summary="Links to a batch that are still good",
    response_model=ShareList,
    responses=problems.responses("not-found", "missing-scope", "unavailable"),
)
async def list_shares(parts: Given, caller: Uploader, batch_id: BatchId) -> Response:
    """Newest first, 100 at most. The links themselves are not kept."""
    await _own(parts, caller, batch_id)
    found = await shares.of_batch(parts.database, batch_id, now())
    told = ShareList(shares=[ShareOut.model_validate(_told(one)) for one in found])
    return schemas.answer(told, headers={"Cache-Control": "no-store"})


@router.delete(
    "/batches/{batchId}/shares/{shareId}",
    status_code=204,
    summary="End a link to a batch",
    responses=problems.responses("not-found", "missing-scope", "unavailable"),
)
async def revoke_share(parts: Given, caller: Uploader, batch_id: BatchId, shareId: ShareId) -> Response:
    """Addresses of results that it has shown are good for a quarter of an hour more at most."""
    await _own(parts, caller, batch_id)
    if not await shares.revoke(parts.database, batch_id, known(shareId, "share")):
        raise PixelmillError("not-found", "There is no such share of this batch.")
    return Response(status_code=204)


@router.get(
    "/shares/{token}",
    summary="A shared batch",
    response_model=schemas.BatchOut,
    responses=problems.responses("not-found", "bad-request", "unavailable"),
    dependencies=[PUBLIC],
)
async def get_share(
    request: Request,
    parts: Given,
    token: Annotated[str, Path(max_length=100, examples=["…"])],
    cursor: Position = None,
) -> Response:
    """The batch, with addresses of its results that are good for a quarter of an hour; ask again for new ones."""
    at = now()
    share = await shares.by_token(parts.database, token, at) if _TOKEN.match(token) else None
    batch = await batches.find(parts.database, share.batch_id) if share else None
    if share is None or batch is None:
        raise PixelmillError("not-found", "There is no such share, or it has ended.")
    seconds = min(LINKS, (share.expires_at - at).total_seconds())
    link = request.app.state.links.signer(seconds)
    return await shown(parts, batch, cursor, link, {"Cache-Control": "no-store"})
