"""What the API is given: the parts of the service, made and closed by the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from pixelmill.api.streams import Hub

if TYPE_CHECKING:
    from pixelmill.pipeline.accept import Intake
    from pixelmill.queue import Limiter, Queue
    from pixelmill.recipes import Preset
    from pixelmill.records.database import Database
    from pixelmill.secret import Secret
    from pixelmill.settings import Settings
    from pixelmill.storage import Storage


@dataclass(frozen=True)
class Parts:
    settings: Settings
    database: Database
    storage: Storage
    intake: Intake
    queue: Queue
    presets: Mapping[str, Preset]
    limiter: Limiter
    secret: Secret


# Coroutines, so that FastAPI calls them in place and not in a thread.
async def _parts(connection: HTTPConnection) -> Parts:
    found: Parts = connection.app.state.parts
    return found


async def _hub(connection: HTTPConnection) -> Hub:
    found: Hub = connection.app.state.hub
    return found


Given = Annotated[Parts, Depends(_parts)]
TheHub = Annotated[Hub, Depends(_hub)]
