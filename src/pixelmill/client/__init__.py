"""A typed client of the HTTP API, blocking (:class:`Client`) and for asyncio or Trio (:class:`AsyncClient`).

    from pixelmill.client import Client

    with Client("http://127.0.0.1:3000") as mill:
        batch = mill.wait(mill.submit("photo.jpg", preset="web").batch_id)
        mill.download(batch, "out")

It needs httpx and pydantic, and nothing else of this package.
"""

from pixelmill.client.asynchronous import AsyncClient
from pixelmill.client.downloading import Names
from pixelmill.client.errors import ClientError, ConnectionLost, Incomplete, ProblemError, TimedOut
from pixelmill.client.files import ZipMember
from pixelmill.client.shapes import (
    Attempt,
    Batch,
    DeadLetter,
    Event,
    Image,
    Job,
    Limits,
    LogLine,
    News,
    Preset,
    Progress,
    Purged,
    Replayed,
    Result,
    Retention,
    Summary,
    Variant,
    Why,
)
from pixelmill.client.synchronous import Client

__all__ = [
    "AsyncClient",
    "Attempt",
    "Batch",
    "Client",
    "ClientError",
    "ConnectionLost",
    "DeadLetter",
    "Event",
    "Image",
    "Incomplete",
    "Job",
    "Limits",
    "LogLine",
    "Names",
    "News",
    "Preset",
    "ProblemError",
    "Progress",
    "Purged",
    "Replayed",
    "Result",
    "Retention",
    "Summary",
    "TimedOut",
    "Variant",
    "Why",
    "ZipMember",
]
