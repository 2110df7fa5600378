from __future__ import annotations

import asyncio

import pytest
import structlog

from pixelmill.queue import Done, Failed, Foreign, Job, Later, policies
from pixelmill.queue.job import Outcome

JOB = Job("image", 3)


@pytest.mark.parametrize(
    ("outcome", "event"),
    [(Done({"a": 1}), "job.done"), (Later(2.5), "job.later"), (Failed("no"), "job.failed")],
)
async def test_one_line_a_job(outcome: Outcome, event: str) -> None:
    async def handler(job: Job | Foreign) -> Outcome:
        assert structlog.contextvars.get_contextvars() == {"job": "image-3"}
        return outcome

    with structlog.testing.capture_logs() as lines:
        assert await policies.logged(handler)(JOB) == outcome
    assert [line["event"] for line in lines] == [event]
    assert structlog.contextvars.get_contextvars() == {}


async def test_what_hangs_has_failed_and_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def handler(job: Job | Foreign) -> Outcome:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return Done()

    assert await policies.limited(handler, 0.01)(JOB) == Failed("It was not finished within 0.01 s.")
    assert cancelled.is_set()


async def test_a_timeout_of_the_handler_is_its_own() -> None:
    async def handler(job: Job | Foreign) -> Outcome:
        raise TimeoutError("the storage")

    with pytest.raises(TimeoutError, match="the storage"):
        await policies.limited(handler, 60)(JOB)


async def test_each_outcome_is_measured() -> None:
    seen: list[tuple[Job | Foreign, Outcome]] = []

    def hook(job: Job | Foreign, outcome: Outcome, seconds: float) -> None:
        assert seconds >= 0
        seen.append((job, outcome))

    async def handler(job: Job | Foreign) -> Outcome:
        return Done()

    await policies.measured(handler, hook)(JOB)
    assert seen == [(JOB, Done())]
