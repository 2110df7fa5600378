"""``POST /recipes/preview``: one image and a recipe; the answer is what is made of it.

The API decodes no pixel: this is a batch of one image like any other, first in the queue and kept for a minute, and
the answer waits for it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import Any

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pixelmill.api import multipart, options, problems, schemas
from pixelmill.api.auth import Uploader
from pixelmill.api.idempotency import Once
from pixelmill.api.parts import Given, Parts
from pixelmill.api.quotas import ROOM
from pixelmill.api.streams import Hub
from pixelmill.errors import PixelmillError
from pixelmill.pipeline.accept import Acceptance
from pixelmill.records import images
from pixelmill.records.models import Image, State, Variant
from pixelmill.storage import Storage

router = APIRouter(tags=["presets"])

FIELD = "image"
#: Most variants of a previewed recipe: all of them wait in one answer.
MOST = 4
#: Most bytes of what is made that one answer holds.
MOST_BYTES = 32 * 1024 * 1024
#: Seconds that an answer waits; then it names the batch instead.
PATIENCE = 15.0
#: Seconds that image and results are kept.
KEPT = 60.0

_FORM: dict[str, Any] = {
    "parameters": options.PARAMETERS,
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {"type": "string", "contentMediaType": "application/octet-stream"},
                        "recipe": {"type": "string", "description": options.DESCRIPTIONS["recipe"]},
                        "preset": {"type": "string", "description": options.DESCRIPTIONS["preset"]},
                    },
                }
            }
        },
    },
}


class PreviewOut(schemas.Shape):
    """What was made, with its bytes."""

    variants: list[dict[str, Any]]


@router.post(
    "/recipes/preview",
    summary="Try a recipe on one image",
    response_model=PreviewOut,
    responses={
        200: {
            "description": "The result itself, if it is one and `Accept` does not ask for JSON.",
            "content": {"image/*": {"schema": {"type": "string", "contentMediaType": "image/*"}}},
        },
        202: {"description": "It takes longer: look at the batch.", "model": schemas.Accepted},
        **problems.responses(
            "bad-request",
            "no-files",
            "too-many-files",
            "too-many-variants",
            "too-large",
            "too-large-request",
            "empty-file",
            "unsupported-format",
            "unsupported-media-type",
            "corrupt-image",
            "bad-recipe",
            "unknown-preset",
            "slow-request",
            "quota-exceeded",
            "idempotency-mismatch",
            "idempotency-running",
            "unavailable",
        ),
    },
    dependencies=[ROOM],
    openapi_extra=_FORM,
)
async def preview_recipe(
    request: Request,
    parts: Given,
    caller: Uploader,
) -> Response:
    """At most four variants. It counts and is seen as a batch with `{"preview": true}` as metadata, for a minute."""
    in_query = options.in_query(request)
    most = parts.settings.max_file_bytes + multipart.SLACK
    multipart.declared(request.headers, most)
    multipart.boundary(request.headers.get("content-type"))
    once: Once | None = request.state.once
    acceptance = None if once and once.known else await parts.intake.begin(owner=caller.owner)
    try:
        files = once.files(acceptance, parts.settings.max_files) if once else None
        sink = files or acceptance
        assert sink is not None
        fields = await multipart.receive(
            request.stream(),
            request.headers.get("content-type"),
            sink,
            field=FIELD,
            allowed=frozenset(("recipe", "preset")),
            most_bytes=most,
        )
        if once and files and (again := once.settle(files.content(in_query | fields))):
            return again
        assert acceptance is not None
        told = await _accept(parts, acceptance, in_query | fields)
    except ClientDisconnect as error:
        raise PixelmillError("bad-request", "The connection was cut before the body was whole.") from error
    finally:
        if acceptance is not None:
            await acceptance.abandon()
    hub: Hub = request.app.state.hub
    image = await _over(parts, hub, told.batch_id)
    if image is None:
        return told.answer()
    if image.state is not State.COMPLETED:
        raise PixelmillError(image.error_code or "conflict", image.failed_reason or "It was canceled.")
    as_json = len(image.variants) > 1 or "application/json" in request.headers.get("accept", "")
    return await (_json if as_json else _plain)(parts.storage, image)


async def _accept(parts: Parts, acceptance: Acceptance, values: dict[str, str]) -> schemas.Accepted:
    wanted = options.read(values, parts.presets, parts.settings.max_variants)
    if len(wanted.recipe.variants) > MOST:
        raise PixelmillError("too-many-variants", f"A preview makes {MOST} variants at most.")
    if acceptance.total > 1:
        raise PixelmillError("too-many-files", "A preview takes one image.")
    told = schemas.Accepted.of(acceptance.batch_id, acceptance.total)
    await acceptance.commit(
        recipe=wanted.recipe,
        preset=wanted.preset,
        metadata={"preview": True},
        retention={"originals": KEPT, "results": KEPT},
    )
    return told


async def _over(parts: Parts, hub: Hub, batch_id: str) -> Image | None:
    """The image once it is over; None when that takes too long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE), contextlib.aclosing(hub.listen(batch_id)) as lines:
            async for _ in lines:
                pass
    [image] = await images.of_batch(parts.database, batch_id, limit=1)
    return image if image.state.over else None


async def _plain(storage: Storage, image: Image) -> Response:
    [one] = image.variants
    headers = {"Cache-Control": "no-store", "X-Image-Width": str(one.width), "X-Image-Height": str(one.height)}
    return Response(await _bytes(storage, one), headers=headers, media_type=one.content_type)


async def _json(storage: Storage, image: Image) -> Response:
    if sum(one.bytes or 0 for one in image.variants) > MOST_BYTES:
        raise PixelmillError("too-large", f"What was made is larger than {MOST_BYTES} bytes; look at the batch.")
    made = []
    for one in image.variants:
        data = base64.b64encode(await _bytes(storage, one)).decode()
        told = schemas.variant(one, image.bytes).model_dump(mode="json", by_alias=True)
        made.append(told | {"dataUrl": f"data:{one.content_type};base64,{data}"})
    return schemas.answer(PreviewOut(variants=made), headers={"Cache-Control": "no-store"})


async def _bytes(storage: Storage, one: Variant) -> bytes:
    if one.key is None or (one.bytes or 0) > MOST_BYTES:
        raise PixelmillError("too-large", f"What was made is larger than {MOST_BYTES} bytes; look at the batch.")
    return b"".join([chunk async for chunk in storage.read(one.key)])
