"""The client for asyncio and Trio."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import anyio
import anyio.to_thread
import httpx

from pixelmill.client.downloading import Names, What
from pixelmill.client.files import File, OnProgress
from pixelmill.client.procedures import Procedures, Submission
from pixelmill.client.retrying import Policy
from pixelmill.client.shapes import (
    Batch,
    DeadLetter,
    Event,
    Job,
    Limits,
    News,
    Preset,
    Purged,
    Replayed,
    Summary,
    Variant,
)
from pixelmill.client.steps import Body, Call, Do, Emit, Read, Reply, Sleep, Steps
from pixelmill.client.wire import build, dropped, options

T = TypeVar("T")


class _Run(Generic[T]):
    """One procedure under way; iterate for what it emits, then ``result`` is what it returned."""

    result: T

    def __init__(self, http: httpx.AsyncClient, steps: Steps[T]) -> None:
        self._http = http
        self._steps = steps
        self._open: httpx.Response | None = None
        self._bytes: AsyncIterator[bytes] | None = None

    async def each(self) -> AsyncGenerator[Any, None]:
        value: Any = None
        wrong: Exception | None = None
        try:
            while True:
                try:
                    step = self._steps.throw(wrong) if wrong else self._steps.send(value)
                except StopIteration as end:
                    self.result = end.value
                    return
                value = wrong = None
                if isinstance(step, Emit):
                    yield step.value
                    continue
                try:
                    value = await self._do(step)
                except Exception as error:
                    wrong = dropped(error)
        finally:
            self._steps.close()
            with anyio.CancelScope(shield=True):
                await self._close()

    async def _do(self, step: Call | Read | Sleep | Do) -> Any:
        if isinstance(step, Call):
            return await self._call(step)
        if isinstance(step, Read):
            return b"" if self._bytes is None else await anext(self._bytes, b"")
        if isinstance(step, Sleep):
            await self._close()
            return await anyio.sleep(step.seconds)
        return await anyio.to_thread.run_sync(step.work)

    async def _call(self, call: Call) -> Reply:
        await self._close()
        body = call.body
        response = await self._http.send(build(self._http, call, _sent(body) if body else None), stream=True)
        reply = Reply(response.status_code, dict(response.headers))
        if call.stream and response.status_code in (200, 206):
            self._open, self._bytes = response, response.aiter_bytes()
            return reply
        try:
            return Reply(reply.status, reply.headers, await response.aread())
        finally:
            await response.aclose()

    async def _close(self) -> None:
        response, self._open, self._bytes = self._open, None, None
        if response is not None:
            await response.aclose()


async def _sent(body: Body) -> AsyncIterator[bytes]:
    chunks, sent = body.chunks(), 0
    # A disk may be slow: it is not to hold up the event loop.
    while chunk := await anyio.to_thread.run_sync(next, chunks, b""):
        yield chunk
        sent += len(chunk)
        body.sent(sent)


class AsyncClient:
    """As :class:`pixelmill.client.Client`, with methods to await and to iterate over; callbacks may be coroutines.

    Use it in an ``async with`` block, or close it with ``aclose``.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:3000",
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        retries: int = 5,
    ) -> None:
        self._http = httpx.AsyncClient(**options(base_url, api_key, timeout))
        self._do = Procedures(Policy(retries))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _run(self, steps: Steps[T], emitted: Callable[[Any], object] | None = None) -> T:
        run = _Run(self._http, steps)
        async with aclosing(run.each()) as values:
            async for value in values:
                if emitted is not None and inspect.isawaitable(waiting := emitted(value)):
                    await waiting
        return run.result

    async def submit(
        self,
        files: File | Iterable[File] = (),
        *,
        urls: Iterable[str] = (),
        preset: str | None = None,
        recipe: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        priority: int | None = None,
        callback_url: str | None = None,
        retention: Mapping[str, float] | None = None,
        idempotency_key: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Batch:
        """Upload ``files`` (or name ``urls``) in one request, and have ``preset`` or ``recipe`` made of each.

        A file is a path, ``(name, bytes or open file)``, or anything with ``name``, ``size`` and ``open()``; it is
        streamed. ``on_progress(sent, total)`` is called with bytes of the request. ``retention`` is in seconds.
        """
        wanted = Submission(
            files,
            urls,
            preset,
            recipe,
            metadata,
            priority,
            callback_url,
            retention,
            idempotency_key,
            on_progress,
        )
        return await self._run(self._do.submit(wanted))

    async def batch(self, batch_id: str) -> Batch:
        """One batch with all its files."""
        return await self._run(self._do.batch(batch_id))

    def batches(self, status: str | None = None, limit: int | None = None) -> AsyncGenerator[Summary, None]:
        """Batches, newest first; further pages are fetched as they are needed."""
        return _Run(self._http, self._do.batches(status, limit)).each()

    def watch(self, batch_id: str, after: int = 0) -> AsyncGenerator[Event, None]:
        """What happens to a batch, as it happens, until it is over: each event that follows number ``after`` once and
        in order, however often the line breaks."""
        return _Run(self._http, self._do.watch(batch_id, after)).each()

    def watch_all(self, after: str = "") -> AsyncGenerator[News, None]:
        """What happens to all your batches (to everybody's, for an operator), as it happens and without an end.

        It begins now, or after the ``place`` of an event seen before; however often the line breaks, nothing is missed
        and nothing comes twice.
        """
        return _Run(self._http, self._do.watch_all(after)).each()

    async def wait(
        self,
        batch_id: str,
        on_event: Callable[[Event], object] | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Batch:
        """The batch once it is over. Raises TimedOut after ``timeout`` seconds."""
        return await self._run(self._do.wait(batch_id, timeout), on_event)

    async def download(
        self,
        what: What | Iterable[What],
        folder: str | os.PathLike[str],
        on_file: Callable[[tuple[Variant, Path]], object] | None = None,
        *,
        names: Names | None = None,
    ) -> list[Path]:
        """Every completed result of a batch, an image or a variant into ``folder``; the files that were made.

        A line that breaks is taken up where it broke; a file has its name only when it is whole. Raises Incomplete
        when the service sends another number of bytes than it told. ``names`` keeps the files of several downloads into
        one folder apart.
        """
        return await self._run(self._do.download(what, folder, names), on_file)

    async def archive(self, batch_id: str, path: str | os.PathLike[str], *, partial: bool = False) -> Path:
        """Every result of a batch as one ZIP at ``path``; ``partial``: what there is, before the batch is over."""
        return await self._run(self._do.archive(batch_id, path, partial))

    async def cancel(self, batch_id: str) -> Summary:
        """Cancel what is not over; what is done stays."""
        return await self._run(self._do.cancel(batch_id))

    async def delete(self, batch_id: str) -> None:
        """Delete a batch with all its files now; what runs is canceled. Needs the scope `admin`."""
        await self._run(self._do.delete(batch_id))

    async def cancel_job(self, job_id: str) -> Job:
        """Cancel one image; its batch goes on without it."""
        return await self._run(self._do.cancel_job(job_id))

    async def job(self, job_id: str) -> Job:
        """One image with its tries, timings and log."""
        return await self._run(self._do.job(job_id))

    async def retry(self, job_id: str) -> Job:
        """Have a failed image done again."""
        return await self._run(self._do.retry(job_id))

    async def presets(self) -> list[Preset]:
        return await self._run(self._do.presets())

    async def limits(self) -> Limits:
        """What one request may hold."""
        return await self._run(self._do.limits())

    def dead_letters(
        self, code: str | None = None, batch_id: str | None = None, limit: int | None = None
    ) -> AsyncGenerator[DeadLetter, None]:
        """Images that failed for good, newest first: of one error code, of one batch, or all."""
        return _Run(self._http, self._do.dead_letters(code, batch_id, limit)).each()

    async def replay_dead_letter(self, job_id: str) -> Job:
        return await self._run(self._do.replay(job_id))

    async def replay_dead_letters(self, code: str | None = None, batch_id: str | None = None) -> Replayed:
        """Have all that match done again."""
        return await self._run(self._do.replay_many(code, batch_id))

    async def purge_dead_letter(self, job_id: str) -> None:
        """Delete its bytes; its batch still counts it as failed. Needs the scope `admin`."""
        await self._run(self._do.purge(job_id))

    async def purge_dead_letters(self, code: str | None = None, batch_id: str | None = None) -> Purged:
        """Delete the bytes of all that match. Needs the scope `admin`."""
        return await self._run(self._do.purge_many(code, batch_id))
