"""The story of an image, one file a chapter: accept, work, reconcile, and what an owner may ask for in between."""

from pixelmill.pipeline.accept import Acceptance, Accepted, Intake
from pixelmill.pipeline.adopt import Adopter
from pixelmill.pipeline.backfill import Backfill, Wanted
from pixelmill.pipeline.deliver import Deliverer
from pixelmill.pipeline.presence import Presence
from pixelmill.pipeline.receive import Receiving
from pixelmill.pipeline.reconcile import Reconciler
from pixelmill.pipeline.retain import Retainer
from pixelmill.pipeline.uploads import Uploads
from pixelmill.pipeline.work import Millhand

__all__ = [
    "Acceptance",
    "Accepted",
    "Adopter",
    "Backfill",
    "Deliverer",
    "Intake",
    "Millhand",
    "Presence",
    "Receiving",
    "Reconciler",
    "Retainer",
    "Uploads",
    "Wanted",
]
