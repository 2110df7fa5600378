"""Things by their id, for who may see them. What belongs to another owner does not exist."""

from __future__ import annotations

from pixelmill.api.auth import Caller
from pixelmill.api.ids import gone, known
from pixelmill.api.parts import Parts
from pixelmill.records import batches, images, uploads
from pixelmill.records.models import Batch, Image, Upload


async def batch(parts: Parts, caller: Caller, batch_id: str) -> Batch:
    """Raises PixelmillError ``not-found``."""
    found = await batches.find(parts.database, batch_id)
    if found is None or not caller.sees(found.owner):
        raise gone("batch", batch_id)
    return found


async def job(parts: Parts, caller: Caller, job_id: str) -> Image:
    """Raises PixelmillError ``not-found``."""
    found = await images.find(parts.database, job_id)
    if found is None or not caller.sees(found.owner):
        raise gone("job", job_id)
    return found


async def upload(parts: Parts, caller: Caller, upload_id: str) -> Upload:
    """Raises PixelmillError ``not-found``."""
    found = await uploads.find(parts.database, known(upload_id, "upload"))
    if found is None or not caller.sees(found.owner):
        raise gone("upload", upload_id)
    return found
