"""``/jobs/{id}``: one image, how it stands and how it went."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from pixelmill.api import owned, problems, schemas
from pixelmill.api.auth import Caller, Reader, Uploader
from pixelmill.api.ids import JobId
from pixelmill.api.parts import Given, Parts
from pixelmill.api.sending import stored
from pixelmill.errors import PixelmillError
from pixelmill.pipeline import ending
from pixelmill.pipeline.uploads import TYPES
from pixelmill.records import audit, images

router = APIRouter(tags=["jobs"])

BYTES = "application/octet-stream"


@router.get(
    "/jobs/{jobId}",
    summary="One image with its variants, tries, timings and log",
    response_model=schemas.JobOut,
    responses=problems.responses("not-found", "unavailable"),
)
async def get_job(parts: Given, caller: Reader, job_id: JobId) -> Response:
    return await _told(parts, caller, job_id)


@router.post(
    "/jobs/{jobId}/retry",
    status_code=202,
    summary="Have a failed image done again",
    response_model=schemas.JobOut,
    responses=problems.responses("not-found", "conflict", "unavailable"),
)
async def retry_job(parts: Given, caller: Uploader, job_id: JobId) -> Response:
    """Variants that are done stay, the others are tried anew. A batch that was over is open again."""
    await owned.job(parts, caller, job_id)
    await ending.replay(parts.database, parts.queue, job_id)
    await audit.write(parts.database, "job.retried", owner=caller.owner, key_id=caller.key_id, target=job_id)
    answer = await _told(parts, caller, job_id)
    answer.status_code = 202
    answer.headers["Location"] = f"/jobs/{job_id}"
    return answer


@router.delete(
    "/jobs/{jobId}",
    summary="Cancel one image",
    response_model=schemas.JobOut,
    responses=problems.responses("not-found", "unavailable"),
)
async def cancel_job(parts: Given, caller: Uploader, job_id: JobId) -> Response:
    """Its batch goes on without it. An image that is over stays as it is."""
    if not (await owned.job(parts, caller, job_id)).state.over:
        await ending.cancel_image(parts.database, parts.queue, job_id)
        await audit.write(parts.database, "job.canceled", owner=caller.owner, key_id=caller.key_id, target=job_id)
    return await _told(parts, caller, job_id)


@router.get(
    "/jobs/{jobId}/original",
    summary="The file as it was sent",
    response_class=Response,
    responses={
        200: {
            "description": "The file, always as an attachment: what was sent is not looked at before it is shown.",
            "content": {BYTES: {"schema": {"type": "string", "contentMediaType": BYTES}}},
        },
        206: {"description": "The range that was asked for."},
        307: {"description": "The bytes are in an object store: fetch them there, within 5 minutes."},
        304: {"description": "The bytes that If-None-Match names are the newest."},
        **problems.responses("not-found", "range-not-satisfiable", "bad-request", "unavailable"),
    },
)
async def get_original(request: Request, parts: Given, caller: Reader, job_id: JobId) -> Response:
    """For who may read the batch by a key: no share and no signed link shows it. Takes `Range` and `If-None-Match`."""
    image = await owned.job(parts, caller, job_id)
    if image.key is None:
        raise PixelmillError("not-found", "Its original is not kept (any more).")
    content_type = TYPES.get(image.format or "", BYTES)
    return await stored(request, parts, image.key, image.original_name, content_type)


async def _told(parts: Parts, caller: Caller, job_id: str) -> Response:
    image = await owned.job(parts, caller, job_id)
    batch = await owned.batch(parts, caller, image.batch_id)
    attempts = await images.attempts(parts.database, job_id)
    headers = {"Cache-Control": "no-store"}
    if not image.state.over:
        headers["Retry-After"] = "1"
    return schemas.answer(schemas.job(image, batch, attempts, traces=caller.may("admin")), headers=headers)
