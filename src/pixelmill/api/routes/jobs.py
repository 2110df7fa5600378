"""``/jobs/{id}``: one image, how it stands and how it went."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from pixelmill.api import problems, schemas
from pixelmill.api.ids import JobId, gone
from pixelmill.api.parts import Given
from pixelmill.records import images

router = APIRouter(tags=["jobs"])


@router.get(
    "/jobs/{jobId}",
    summary="One image with its variants, tries, timings and log",
    response_model=schemas.JobOut,
    responses=problems.responses("not-found", "unavailable"),
)
async def get_job(parts: Given, job_id: JobId) -> Response:
    image = await images.find(parts.database, job_id)
    if image is None:
        raise gone("job", job_id)
    attempts = await images.attempts(parts.database, job_id)
    headers = {"Cache-Control": "no-store"}
    if not image.state.over:
        headers["Retry-After"] = "1"
    return schemas.answer(schemas.job(image, attempts), headers=headers)
