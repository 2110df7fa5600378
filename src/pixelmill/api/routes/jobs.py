"""``/jobs/{id}``: one image, how it stands and how it went."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from pixelmill.api import owned, problems, schemas
from pixelmill.api.auth import Caller, Reader, Uploader
from pixelmill.api.ids import JobId
from pixelmill.api.parts import Given, Parts
from pixelmill.pipeline import ending
from pixelmill.records import images

router = APIRouter(tags=["jobs"])


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
    await owned.job(parts, caller, job_id)
    await ending.cancel_image(parts.database, parts.queue, job_id)
    return await _told(parts, caller, job_id)


async def _told(parts: Parts, caller: Caller, job_id: str) -> Response:
    image = await owned.job(parts, caller, job_id)
    attempts = await images.attempts(parts.database, job_id)
    headers = {"Cache-Control": "no-store"}
    if not image.state.over:
        headers["Retry-After"] = "1"
    return schemas.answer(schemas.job(image, attempts), headers=headers)
