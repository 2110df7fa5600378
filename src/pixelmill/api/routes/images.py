"""``/images/{id}/{variant}``: the bytes of a result."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from pixelmill.api import conditional, owned, problems
from pixelmill.api.ids import JobId, gone
from pixelmill.api.links import Viewer
from pixelmill.api.parts import Given
from pixelmill.api.sending import SendFile
from pixelmill.errors import PixelmillError
from pixelmill.pipeline.archive import stem
from pixelmill.records.models import Image, State, Variant
from pixelmill.storage.disposition import disposition

router = APIRouter(tags=["results"])

#: Types a browser shows as a picture and never runs; all others are sent as attachments.
_PICTURES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif", "image/jxl"})


#: Seconds in which a client must follow a redirect to the object store.
_FOLLOW = 300


@router.get(
    "/images/{jobId}/{variant}",
    summary="The bytes of one variant",
    response_class=Response,
    responses={
        200: {
            "description": "The image.",
            "content": {"image/*": {"schema": {"type": "string", "contentMediaType": "image/*"}}},
            "headers": {
                "ETag": {"description": "Names these bytes.", "schema": {"type": "string"}},
                "Content-Disposition": {"description": "A safe file name.", "schema": {"type": "string"}},
            },
        },
        206: {"description": "The range that was asked for."},
        307: {"description": "The bytes are in an object store: fetch them there, within 5 minutes."},
        304: {"description": "The bytes that If-None-Match names are the newest."},
        **problems.responses(
            "not-found", "not-ready", "range-not-satisfiable", "bad-request", "bad-signature", "unavailable"
        ),
    },
)
async def get_image(
    request: Request,
    parts: Given,
    caller: Viewer,
    job_id: JobId,
    variant: Annotated[str, Path(max_length=200, examples=["square"])],
    download: Annotated[bool, Query(description="Save it, do not show it.")] = False,
) -> Response:
    """Takes `Range`, `If-None-Match` and `If-Range`. Bytes that lie in an object store come by a redirect.

    A signed link needs no key; `?signed=` on a batch gives them.
    """
    image = await owned.job(parts, caller, job_id)
    one = next((one for one in image.variants if one.name == variant), None)
    if one is None:
        raise gone("variant", variant)
    key = _key(one)
    etag = f'"{hashlib.sha256(key.encode()).hexdigest()[:32]}"'
    content_type = one.content_type or "application/octet-stream"
    name = filename(image, one)
    inline = not download and content_type in _PICTURES
    headers = {
        # A key is written once, so it names the bytes.
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": disposition(name, not inline),
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    }
    if conditional.not_modified(request.headers, etag):
        return Response(status_code=304, headers=headers)
    if not _of_our_page(request):
        url = await parts.storage.presign_get(
            key, seconds=_FOLLOW, filename=name, content_type=content_type, inline=inline
        )
        if url:
            return RedirectResponse(url, 307, {"Cache-Control": "no-store"})
    found = await parts.storage.stat(key)
    if found is None:
        raise PixelmillError("not-found", "This result has been deleted.")
    try:
        part = conditional.byte_range(request.headers, etag, found.bytes)
    except IndexError:
        problem = PixelmillError("range-not-satisfiable", extra={"size": found.bytes})
        return problems.response(problem, request.url.path, {"Content-Range": f"bytes */{found.bytes}"})
    status = 200
    start, end = 0, found.bytes
    if part is not None:
        status, (start, end) = 206, part
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.bytes}"
    headers["Content-Length"] = str(end - start)
    path = parts.storage.path(key)
    if part is None and path is not None and "http.response.pathsend" in request.scope.get("extensions", {}):
        return SendFile(path, headers, content_type)
    body = parts.storage.read(key, start, end)
    return StreamingResponse(body, status, headers, content_type)


def _of_our_page(request: Request) -> bool:
    """Whether a script or picture of our own page asks, whose policy lets it load from us alone."""
    told = request.headers.get
    return told("sec-fetch-site") == "same-origin" and told("sec-fetch-mode") != "navigate"


def _key(variant: Variant) -> str:
    """The storage key of what is completed. Raises ``not-ready`` or ``not-found``."""
    if not variant.state.over:
        raise PixelmillError("not-ready", f"The variant is {variant.state}.")
    if variant.state is State.COMPLETED and variant.key is None:
        raise PixelmillError("not-found", "This result has been deleted: its retention is over.")
    if variant.state is not State.COMPLETED or variant.key is None:
        raise PixelmillError("not-found", f"The variant is {variant.state}: {variant.error or 'it was not made'}.")
    return variant.key


def filename(image: Image, variant: Variant) -> str:
    """The original's stem and the variant's name: what a person recognises, safe on every file system."""
    return f"{stem(image.original_name)}-{variant.name}{PurePosixPath(variant.key or '').suffix}"
