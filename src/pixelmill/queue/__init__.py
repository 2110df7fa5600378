"""What is next: BullMQ's data model on Redis or Valkey, and the worker's loop. The only place that speaks Redis.

Names are loaded when first used: the supervisor wants :mod:`pixelmill.queue.embedded` alone, and BullMQ's and Redis's
libraries cost half a second and 30 MB.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelmill.queue import embedded, policies
    from pixelmill.queue.job import Done, Failed, Foreign, Handler, Job, Later, Outcome
    from pixelmill.queue.limits import Limiter, Quota, Standing
    from pixelmill.queue.queue import Queue
    from pixelmill.queue.slots import Slots
    from pixelmill.queue.worker import Worker

__all__ = [
    "Done",
    "Failed",
    "Foreign",
    "Handler",
    "Job",
    "Later",
    "Limiter",
    "Outcome",
    "Queue",
    "Quota",
    "Slots",
    "Standing",
    "Worker",
    "embedded",
    "policies",
]

_HOMES = {
    "Limiter": "limits",
    "Queue": "queue",
    "Quota": "limits",
    "Slots": "slots",
    "Standing": "limits",
    "Worker": "worker",
    "embedded": "embedded",
    "policies": "policies",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"pixelmill.queue.{_HOMES.get(name, 'job')}")
    return home if name in ("embedded", "policies") else getattr(home, name)
