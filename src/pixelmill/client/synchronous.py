"""The blocking client."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

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

    def __init__(self, http: httpx.Client, steps: Steps[T]) -> None:
        self._http = http
        self._steps = steps
        self._open: httpx.Response | None = None
        self._bytes: Iterator[bytes] = iter(())

    def __iter__(self) -> Iterator[Any]:
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
                    value = self._do(step)
                except Exception as error:
                    wrong = dropped(error)
        finally:
            self._steps.close()
            self._close()

    def _do(self, step: Call | Read | Sleep | Do) -> Any:
        if isinstance(step, Call):
            return self._call(step)
        if isinstance(step, Read):
            return next(self._bytes, b"")
        if isinstance(step, Sleep):
            self._close()
            return time.sleep(step.seconds)
        return step.work()

    def _call(self, call: Call) -> Reply:
        self._close()
        body = call.body
        request = build(self._http, call, _sent(body) if body else None)
        response = self._http.send(request, stream=True)
        reply = Reply(response.status_code, dict(response.headers))
        if call.stream and response.status_code in (200, 206):
            self._open, self._bytes = response, response.iter_bytes()
            return reply
        try:
            return Reply(reply.status, reply.headers, response.read())
        finally:
            response.close()

    def _close(self) -> None:
        response, self._open, self._bytes = self._open, None, iter(())
        if response is not None:
            response.close()


def _sent(body: Body) -> Iterator[bytes]:
    sent = 0
    for chunk in body.chunks():
        yield chunk
        sent += len(chunk)
        body.sent(sent)


class Client:
    """A client of the service at ``base_url``. Use it in a ``with`` block, or close it.

    ``api_key`` is needed once the service has keys. A request that was refused for now (429, 503) or whose line broke
    is sent again up to ``retries`` times; uploads carry an Idempotency-Key, so that nothing is made twice.

    Every method raises :class:`ProblemError` when the service refuses, :class:`ConnectionLost` when it cannot be
    reached.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:3000",
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        retries: int = 5,
    ) -> None:
        self._http = httpx.Client(**options(base_url, api_key, timeout))
        self._do = Procedures(Policy(retries))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def _run(self, steps: Steps[T], emitted: Callable[[Any], object] | None = None) -> T:
        run = _Run(self._http, steps)
        for value in run:
            if emitted is not None:
                emitted(value)
        return run.result

    def submit(
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
        return self._run(self._do.submit(wanted))

    def batch(self, batch_id: str) -> Batch:
        """One batch with all its files."""
        return self._run(self._do.batch(batch_id))

    def batches(self, status: str | None = None, limit: int | None = None) -> Iterator[Summary]:
        """Batches, newest first; further pages are fetched as they are needed."""
        return iter(_Run(self._http, self._do.batches(status, limit)))

    def watch(self, batch_id: str, after: int = 0) -> Iterator[Event]:
        """What happens to a batch, as it happens, until it is over: each event that follows number ``after`` once and
        in order, however often the line breaks."""
        return iter(_Run(self._http, self._do.watch(batch_id, after)))

    def watch_all(self, after: str = "") -> Iterator[News]:
        """What happens to all your batches (to everybody's, for an operator), as it happens and without an end.

        It begins now, or after the ``place`` of an event seen before; however often the line breaks, nothing is missed
        and nothing comes twice.
        """
        return iter(_Run(self._http, self._do.watch_all(after)))

    def wait(
        self, batch_id: str, on_event: Callable[[Event], object] | None = None, *, timeout: float | None = None
    ) -> Batch:
        """The batch once it is over. Raises TimedOut after ``timeout`` seconds."""
        return self._run(self._do.wait(batch_id, timeout), on_event)

    def download(
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
        return self._run(self._do.download(what, folder, names), on_file)

    def archive(self, batch_id: str, path: str | os.PathLike[str], *, partial: bool = False) -> Path:
        """Every result of a batch as one ZIP at ``path``; ``partial``: what there is, before the batch is over."""
        return self._run(self._do.archive(batch_id, path, partial))

    def cancel(self, batch_id: str) -> Summary:
        """Cancel what is not over; what is done stays."""
        return self._run(self._do.cancel(batch_id))

    def delete(self, batch_id: str) -> None:
        """Delete a batch with all its files now; what runs is canceled. Needs the scope `admin`."""
        self._run(self._do.delete(batch_id))

    def cancel_job(self, job_id: str) -> Job:
        """Cancel one image; its batch goes on without it."""
        return self._run(self._do.cancel_job(job_id))

    def job(self, job_id: str) -> Job:
        """One image with its tries, timings and log."""
        return self._run(self._do.job(job_id))

    def retry(self, job_id: str) -> Job:
        """Have a failed image done again."""
        return self._run(self._do.retry(job_id))

    def presets(self) -> list[Preset]:
        return self._run(self._do.presets())

    def limits(self) -> Limits:
        """What one request may hold."""
        return self._run(self._do.limits())

    def dead_letters(
        self, code: str | None = None, batch_id: str | None = None, limit: int | None = None
    ) -> Iterator[DeadLetter]:
        """Images that failed for good, newest first: of one error code, of one batch, or all."""
        return iter(_Run(self._http, self._do.dead_letters(code, batch_id, limit)))

    def replay_dead_letter(self, job_id: str) -> Job:
        return self._run(self._do.replay(job_id))

    def replay_dead_letters(self, code: str | None = None, batch_id: str | None = None) -> Replayed:
        """Have all that match done again."""
        return self._run(self._do.replay_many(code, batch_id))

    def purge_dead_letter(self, job_id: str) -> None:
        """Delete its bytes; its batch still counts it as failed. Needs the scope `admin`."""
        self._run(self._do.purge(job_id))

    def purge_dead_letters(self, code: str | None = None, batch_id: str | None = None) -> Purged:
        """Delete the bytes of all that match. Needs the scope `admin`."""
        return self._run(self._do.purge_many(code, batch_id))
