"""``POST /process-images``: files in, 202 out."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pixelmill.api import multipart, options, problems, schemas
from pixelmill.api.auth import Uploader
from pixelmill.api.direct import Direct
from pixelmill.api.idempotency import Once
from pixelmill.api.parts import Given, Parts
from pixelmill.api.quotas import Room
from pixelmill.errors import PixelmillError
from pixelmill.pipeline.accept import Acceptance

log = structlog.stdlib.get_logger(__name__)

router = APIRouter(tags=["batches"], route_class=Direct)

FIELD = "images"

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
                        FIELD: {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "contentMediaType": "application/octet-stream"},
                            "description": "Image files, one part each. GET /presets tells how many and how large.",
                        },
                        **{
                            name: {"type": "string", "description": text} for name, text in options.DESCRIPTIONS.items()
                        },
                    },
                }
            }
        },
    },
}


@router.post(
    "/process-images",
    status_code=202,
    summary="Upload images and have their variants made",
    response_model=schemas.Accepted,
    responses={
        202: {
            "headers": schemas.ACCEPTED_HEADERS,
            "links": {
                name: {"operationId": name, "parameters": {"batchId": "$response.body#/batchId"}}
                for name in ("getBatch", "batchEvents")
            },
        },
        **problems.responses(
            "bad-request",
            "no-files",
            "slow-request",
            "too-large",
            "too-many-files",
            "too-large-request",
            "unsupported-media-type",
            "unsupported-format",
            "empty-file",
            "nothing-acceptable",
            "bad-recipe",
            "unknown-preset",
            "idempotency-mismatch",
            "idempotency-running",
            "quota-exceeded",
            "overloaded",
            "address-refused",
            "storage-unavailable",
            "unavailable",
        ),
    },
    openapi_extra=_FORM,
)
async def process_images(
    request: Request,
    parts: Given,
    caller: Uploader,
    room: Room,
) -> Response:
    """Files go in the multipart field `images`, options in form fields or in the query.

    A file that cannot be used becomes a failed image with a reason, and the others are made. When no file can be
    used, or the request itself is wrong, nothing is kept and the answer is a problem.
    """
    # What the query alone shows to be wrong is refused before the body is read.
    in_query = options.in_query(request)
    if in_query:
        options.read(in_query, parts.presets, parts.settings.max_variants)
    most = parts.settings.max_files * parts.settings.max_file_bytes + multipart.SLACK
    multipart.declared(request.headers, most)
    multipart.boundary(request.headers.get("content-type"))
    once: Once | None = request.state.once
    # Of a request that was answered already nothing is stored: its files are hashed, to see that they are the same.
    acceptance = None if once and once.known else await parts.intake.begin(owner=caller.owner, in_flight=room)
    try:
        return await _take(request, parts, in_query, most, acceptance, once)
    except BaseException as error:
        if acceptance is not None:
            await acceptance.abandon()
        if isinstance(error, ClientDisconnect):
            raise PixelmillError("bad-request", "The connection was cut before the body was whole.") from error
        if isinstance(error, OSError):
            log.error("upload.not-stored", error=str(error))
            raise PixelmillError("storage-unavailable") from error
        raise


async def _take(
    request: Request,
    parts: Parts,
    in_query: dict[str, str],
    most: int,
    acceptance: Acceptance | None,
    once: Once | None,
) -> Response:
    files = once.files(acceptance, parts.settings.max_files) if once else None
    sink = files or acceptance
    assert sink is not None
    fields = await multipart.receive(
        request.stream(),
        request.headers.get("content-type"),
        sink,
        field=FIELD,
        allowed=frozenset(options.NAMES),
        most_bytes=most,
    )
    if once and files and (again := once.settle(files.content(in_query | fields))):
        return again
    assert acceptance is not None
    wanted = options.read(in_query | fields, parts.presets, parts.settings.max_variants)
    answer = schemas.Accepted.of(acceptance.batch_id, acceptance.total).answer()
    await acceptance.commit(
        recipe=wanted.recipe,
        preset=wanted.preset,
        metadata=wanted.metadata,
        callback_url=wanted.callback_url,
        priority=wanted.priority,
        retention=wanted.retention,
        also=once.recording(answer) if once else None,
    )
    return answer
