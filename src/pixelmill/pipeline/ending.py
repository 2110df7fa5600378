"""What an owner may ask for: cancel a batch, or have a failed image done again."""

from __future__ import annotations

from pixelmill.errors import PixelmillError
from pixelmill.pipeline.accept import tell
from pixelmill.queue import Job, Queue
from pixelmill.records import Database, ending, images
from pixelmill.records.models import BatchStatus


async def cancel(database: Database, queue: Queue, batch_id: str) -> BatchStatus:
    """Cancel what is not over; what is done stays. Raises ``not-found``.

    Jobs in the queue stay there: their workers find nothing to claim.
    """
    status = await ending.cancel(database, batch_id)
    queue.ring([batch_id])
    return status


async def cancel_image(database: Database, queue: Queue, image_id: str) -> None:
    """Cancel one image, if it is not over; its batch goes on without it. Raises ``not-found``."""
    queue.ring([await ending.cancel_image(database, image_id)])


async def replay(database: Database, queue: Queue, image_id: str) -> None:
    """Have a failed image done again. Raises ``not-found`` or ``conflict``."""
    generation, priority = await ending.replay(database, image_id)
    image = await images.find(database, image_id)
    if image is None:  # its batch was purged in this moment
        raise PixelmillError("not-found", "There is no such image.")
    await tell(queue, [Job(image_id, generation, priority)], image.batch_id)
