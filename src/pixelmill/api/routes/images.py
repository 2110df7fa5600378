"""``/images/{id}/{variant}``: the bytes of a result."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from pixelmill.api import owned, problems
from pixelmill.api.ids import JobId, gone
from pixelmill.api.links import Viewer
from pixelmill.api.parts import Given
from pixelmill.api.sending import stored
from pixelmill.errors import PixelmillError
from pixelmill.pipeline.archive import stem
from pixelmill.records.models import Image, State, Variant

router = APIRouter(tags=["results"])

#: Types a browser shows as a picture and never runs; all others are sent as attachments.
_PICTURES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif", "image/jxl"})


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
    content_type = one.content_type or "application/octet-stream"
    inline = not download and content_type in _PICTURES
    return await stored(request, parts, key, filename(image, one), content_type, inline=inline)


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
