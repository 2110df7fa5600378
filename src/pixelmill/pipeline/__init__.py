"""The story of an image, one file a chapter: accept, work, reconcile, and what an owner may ask for in between."""

from pixelmill.pipeline.accept import Acceptance, Accepted, Intake, Receiving
from pixelmill.pipeline.deliver import Deliverer
from pixelmill.pipeline.presence import Presence
from pixelmill.pipeline.reconcile import Reconciler
from pixelmill.pipeline.retain import Retainer
from pixelmill.pipeline.work import Millhand

__all__ = [
    "Acceptance",
    "Accepted",
    "Deliverer",
    "Intake",
    "Millhand",
    "Presence",
    "Receiving",
    "Reconciler",
    "Retainer",
]
