"""The HTTP API. It takes bytes in, hands results out and tells what happens; it decodes no pixel.

:func:`create` makes the application from a factory of its parts; the composition root gives it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from pixelmill import __version__
from pixelmill.api import docs, problems
from pixelmill.api.auth import Door, declared
from pixelmill.api.cors import allow
from pixelmill.api.envelope import Envelope, Traffic
from pixelmill.api.gate import Gate
from pixelmill.api.idempotency import Keeper
from pixelmill.api.links import Links
from pixelmill.api.parts import Parts
from pixelmill.api.quotas import Quotas
from pixelmill.api.routes import (
    archive,
    audit,
    batches,
    dead_letters,
    events,
    images,
    jobs,
    keys,
    metrics,
    monitor,
    presets,
    preview,
    process,
    recipes,
    service,
    session,
    shares,
    sources,
    tus,
    uploads,
    webhooks,
)
from pixelmill.api.sessions import Sessions
from pixelmill.api.streams import Hub
from pixelmill.pipeline.uploads import Uploads

__all__ = ["Parts", "create", "end_streams"]

DESCRIPTION = """Images in, every variant out, nothing lost.

Send files to `POST /process-images`; the answer names a batch. Follow it at `GET /batches/{batchId}` or, live, at
`GET /batches/{batchId}/events`, and fetch each result at its `url`. Errors are RFC 9457 problems, and each `type` is
explained at its own address.

Send a key as `Authorization: Bearer pm_…`. A `POST` with an `Idempotency-Key` is done once, however often it is sent.
`RateLimit` tells what is left of your quotas; beyond them the answer is 429 with `Retry-After`."""


def create(
    parts_factory: Callable[[], AbstractAsyncContextManager[Parts]], *, cors_origins: Sequence[str] = ()
) -> FastAPI:
    """The application. Its lifespan enters ``parts_factory()``, and leaves it after the last stream has ended.

    ``cors_origins`` are those whose pages may call it. Raises TypeError for a route that does not say who may use it.
    """

    traffic = Traffic()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with parts_factory() as parts:
            hub = Hub(parts.database, parts.queue.bells)
            app.state.parts = parts
            app.state.hub = hub
            settings = parts.settings
            door = Door(parts.database, settings, Sessions(parts.secret, settings.session_seconds))
            app.state.door = door
            app.state.links = Links(parts.secret)
            app.state.tickets = Links(parts.secret, purpose="ticket")
            app.state.uploads = Uploads(parts.database, parts.storage, settings, parts.intake.presence)
            app.state.quotas = Quotas(parts.limiter, parts.database, settings)
            app.state.keeper = Keeper.make(
                parts.database, lambda: parts.intake.presence.id, settings.idempotency_seconds, parts.secret
            )
            async with hub.running():
                yield
                # Some servers say that they stop while they still answer: the parts stay until all is answered.
                hub.close()
                await traffic.end(settings.grace_seconds)
                await door.close()

    app = FastAPI(
        title="Pixelmill",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: to_camel(route.name),
    )
    routes: list[APIRoute] = []
    for route in (
        process,
        sources,
        batches,
        jobs,
        dead_letters,
        events,
        images,
        presets,
        recipes,
        preview,
        archive,
        shares,
        webhooks,
        tus,
        uploads,
        keys,
        session,
        audit,
        monitor,
        metrics,
        service,
    ):
        declared(route.router.routes)
        app.include_router(route.router)
        routes += [one for one in route.router.routes if isinstance(one, APIRoute)]
    app.state.routes = routes
    declared(docs.router.routes)
    docs.install(app, DESCRIPTION)
    problems.install(app)
    app.add_middleware(Gate)
    allow(app, cors_origins)
    app.add_middleware(Envelope, traffic=traffic)
    return app


def end_streams(app: FastAPI) -> None:
    """End every live stream and say "stopping" at /readyz. Call it before the server is stopped: it waits for them."""
    hub: Hub | None = getattr(app.state, "hub", None)
    if hub is not None:
        hub.close()
