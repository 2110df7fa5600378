"""Small pieces around a handler, each of which does one thing: ``logged(measured(handler, hook))``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from pixelmill.queue.job import Done, Failed, Foreign, Handler, Job, Later, Outcome

log = structlog.stdlib.get_logger("pixelmill.jobs")

Hook = Callable[[Job | Foreign, Outcome, float], None]


def logged(handler: Handler) -> Handler:
    """One line a job: which, what came of it, how long it took."""

    async def run(job: Job | Foreign) -> Outcome:
        started = time.monotonic()
        with structlog.contextvars.bound_contextvars(job=job.id):
            outcome = await handler(job)
            seconds = round(time.monotonic() - started, 4)
            match outcome:
                case Done():
                    log.info("job.done", seconds=seconds)
                case Later(wait):
                    log.info("job.later", seconds=seconds, again_in=wait)
                case Failed(reason):
                    log.warning("job.failed", seconds=seconds, reason=reason)
        return outcome

    return run


def limited(handler: Handler, seconds: float) -> Handler:
    """A backstop for a handler that hangs: after ``seconds`` it is cancelled and the job has failed."""

    async def run(job: Job | Foreign) -> Outcome:
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await handler(job)
        except TimeoutError:
            if not limit.expired():
                raise
            return Failed(f"It was not finished within {seconds:g} s.")

    return run


def measured(handler: Handler, hook: Hook) -> Handler:
    """Call ``hook(job, outcome, seconds)`` after each job that has an outcome."""

    async def run(job: Job | Foreign) -> Outcome:
        started = time.monotonic()
        outcome = await handler(job)
        hook(job, outcome, time.monotonic() - started)
        return outcome

    return run
