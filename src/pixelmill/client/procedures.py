"""What the client does, step by step, and without doing any of it: see :mod:`pixelmill.client.steps`."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from pixelmill.client import downloading, sse
from pixelmill.client.downloading import Names, What
from pixelmill.client.errors import ConnectionLost, ProblemError, TimedOut
from pixelmill.client.files import File, Form, OnProgress, sources
from pixelmill.client.retrying import Policy, ask
from pixelmill.client.shapes import (
    Accepted,
    Batch,
    DeadLetter,
    Event,
    Job,
    Limits,
    News,
    Preset,
    Progress,
    Purged,
    Replayed,
    Shape,
    Summary,
)
from pixelmill.client.steps import Call, Do, Dropped, Emit, Json, Sleep, Steps, read

S = TypeVar("S", bound=Shape)

#: Seconds without a byte until a live stream counts as broken: the service sends one at least every 15.
SILENCE = 40.0
#: Members of every event; the others are its facts.
_ENVELOPE = frozenset({"event", "batchId", "jobId", "variant", "at"})


@dataclass(frozen=True)
class Submission:
    """Files or addresses, and what to make of them. ``key`` is the Idempotency-Key: sent twice, done once."""

    files: File | Iterable[File] = ()
    urls: Iterable[str] = ()
    preset: str | None = None
    recipe: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = None
    priority: int | None = None
    callback_url: str | None = None
    retention: Mapping[str, float] | None = None
    key: str | None = None
    on_progress: OnProgress | None = None

    def options(self) -> dict[str, Any]:
        given = {
            "preset": self.preset,
            "recipe": self.recipe,
            "metadata": self.metadata,
            "priority": self.priority,
            "callbackUrl": self.callback_url,
            "retention": self.retention,
        }
        return {name: value for name, value in given.items() if value is not None}

    def fields(self) -> dict[str, str]:
        """The options as fields of a form."""
        return {name: value if isinstance(value, str) else _json(value) for name, value in self.options().items()}


@dataclass(frozen=True)
class _Deadline:
    """``end`` by the policy's clock; None: there is none."""

    policy: Policy
    missed: str
    end: float | None = None

    def patience(self) -> float:
        """Seconds without a byte until the line counts as broken."""
        return SILENCE if self.end is None else max(1.0, min(SILENCE, self.end - self.policy.clock()))

    def check(self) -> None:
        if self.end is not None and self.policy.clock() >= self.end:
            raise TimedOut(self.missed)


@dataclass(frozen=True)
class Procedures:
    """Each raises ProblemError when the service refuses, and ConnectionLost when it cannot be reached."""

    policy: Policy = field(default_factory=Policy)

    def submit(self, wanted: Submission) -> Steps[Batch]:
        urls = list(wanted.urls)
        files = yield Do(lambda: sources(wanted.files))
        if urls and files:
            raise ValueError("Give files or urls, not both: a request is one or the other.")
        headers = {"Idempotency-Key": f'"{wanted.key or uuid.uuid4()}"'}
        if urls:
            told = wanted.options() | {"sources": [{"url": url} for url in urls]}
            call = Call("POST", "/batches", headers=headers, body=Json(_json(told).encode()))
        else:
            form = Form(wanted.fields(), files, wanted.on_progress)
            call = Call("POST", "/process-images", headers=headers, body=form)
        accepted = yield from self._get(Accepted, call)
        try:
            return (yield from self.batch(accepted.batch_id))
        except ProblemError as problem:
            if problem.code != "missing-scope":
                raise
            # A key that may upload and not read: what is known of the batch is that it is there.
            return Batch.model_validate(
                {
                    "batchId": accepted.batch_id,
                    "status": "waiting",
                    "progress": Progress(total=accepted.total_files, waiting=accepted.total_files),
                    "createdAt": 0,
                }
            )

    def batch(self, batch_id: str) -> Steps[Batch]:
        """With all its files: further pages are fetched."""
        path = _path("batches", batch_id)
        document = yield from self._json(Call("GET", path))
        page, files = document, list(document["files"])
        while cursor := page.get("nextCursor"):
            page = yield from self._json(Call("GET", path, {"cursor": cursor}))
            files += page["files"]
        return Batch.model_validate(document | {"files": files})

    def batches(self, status: str | None, limit: int | None) -> Steps[None]:
        """Emits each, newest first."""
        params = {"status": status} if status else {}
        return self._pages(Summary, "/batches", "batches", params, limit)

    def cancel(self, batch_id: str) -> Steps[Summary]:
        return self._get(Summary, Call("DELETE", _path("batches", batch_id)))

    def delete(self, batch_id: str) -> Steps[None]:
        yield from ask(self.policy, Call("DELETE", _path("batches", batch_id), {"purge": "true"}))

    def job(self, job_id: str) -> Steps[Job]:
        return self._get(Job, Call("GET", _path("jobs", job_id)))

    def cancel_job(self, job_id: str) -> Steps[Job]:
        return self._get(Job, Call("DELETE", _path("jobs", job_id)))

    def retry(self, job_id: str) -> Steps[Job]:
        return self._get(Job, _post(_path("jobs", job_id, "retry")))

    def presets(self) -> Steps[list[Preset]]:
        told = yield from self._json(Call("GET", "/presets"))
        return [Preset.model_validate(one) for one in told["presets"]]

    def limits(self) -> Steps[Limits]:
        told = yield from self._json(Call("GET", "/presets"))
        return Limits.model_validate(told["limits"])

    def dead_letters(self, code: str | None, batch_id: str | None, limit: int | None) -> Steps[None]:
        """Emits each, newest first."""
        return self._pages(DeadLetter, "/dead-letters", "deadLetters", _filter(code, batch_id), limit)

    def replay(self, job_id: str) -> Steps[Job]:
        return self._get(Job, _post(_path("dead-letters", job_id, "replay")))

    def replay_many(self, code: str | None, batch_id: str | None) -> Steps[Replayed]:
        """All of them, in as many requests as it takes."""
        replayed = skipped = 0
        told: dict[str, str] = _filter(code, batch_id)
        while True:
            page = yield from self._get(Replayed, _post("/dead-letters/replay", told))
            replayed, skipped = replayed + page.replayed, skipped + page.skipped
            if page.next_cursor is None:
                return Replayed(replayed=replayed, skipped=skipped)
            told["cursor"] = page.next_cursor

    def purge(self, job_id: str) -> Steps[None]:
        yield from ask(self.policy, Call("DELETE", _path("dead-letters", job_id)))

    def purge_many(self, code: str | None, batch_id: str | None) -> Steps[Purged]:
        """All of them, in as many requests as it takes."""
        purged = 0
        params = _filter(code, batch_id)
        while True:
            page = yield from self._get(Purged, Call("DELETE", "/dead-letters", params))
            purged += page.purged
            if page.next_cursor is None:
                return Purged(purged=purged)
            params["cursor"] = page.next_cursor

    def watch(self, batch_id: str, after: int, seconds: float | None = None) -> Steps[None]:
        """Emits each event that follows number ``after``, once and in order, until the batch is over.

        A line that breaks is taken up again where it broke (`Last-Event-ID`). Raises TimedOut after ``seconds``.
        """
        seen = after

        def fresh(message: sse.Message) -> Event | None:
            nonlocal seen
            if not message.id.isdecimal() or int(message.id) <= seen:
                return None
            seen = int(message.id)
            return Event.model_validate(_told(message) | {"id": seen})

        end = None if seconds is None else self.policy.clock() + seconds
        deadline = _Deadline(self.policy, f"The batch {batch_id} is not over yet.", end)
        return self._follow(_path("batches", batch_id, "events"), str(after) if after else "", fresh, deadline)

    def watch_all(self, after: str) -> Steps[None]:
        """Emits each event of all batches after the place ``after``, or from now on, and does not end."""

        def news(message: sse.Message) -> News:
            told = _told(message)
            return News.model_validate(told | {"place": message.id, "event": told["event"] or message.event})

        return self._follow("/events", after, news, _Deadline(self.policy, ""))

    def _follow(
        self, path: str, after: str, made: Callable[[sse.Message], Shape | None], deadline: _Deadline
    ) -> Steps[None]:
        """Emits what is ``made`` of each message after the id ``after``, until the service says that this was all."""
        failures = 0
        while True:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
            try:
                call = Call("GET", path, headers=headers, stream=True, patience=deadline.patience())
                reply = yield from ask(self.policy, call)
            except ConnectionLost:
                deadline.check()
                raise
            if reply.status == 204:
                return
            parser, why = sse.Parser(), "the service ended the stream"
            try:
                while data := (yield from read()):
                    for message in parser.feed(data):
                        if (value := made(message)) is not None:
                            yield Emit(value)
                    deadline.check()
            except Dropped as drop:
                why = str(drop)
            deadline.check()
            # The stream also ends when the batch is over: asked again, the service then says that this was all (204).
            failures = 0 if parser.place not in ("", after) else failures + 1
            after = parser.place or after
            # Where only the place was told, nothing happens, and the line is as good as it can be.
            if failures > self.policy.retries and not parser.place:
                raise ConnectionLost(f"GET {path}: {why}")
            if failures:
                yield Sleep(self.policy.pause(failures))

    def wait(self, batch_id: str, seconds: float | None) -> Steps[Batch]:
        """The batch once it is over; emits its events. Raises TimedOut after ``seconds``."""
        yield from self.watch(batch_id, 0, seconds)
        return (yield from self.batch(batch_id))

    def download(
        self, what: What | Iterable[What], folder: str | os.PathLike[str], names: Names | None
    ) -> Steps[list[Path]]:
        return downloading.download(self.policy, what, Path(folder), names or Names())

    def archive(self, batch_id: str, target: str | os.PathLike[str], partial: bool) -> Steps[Path]:
        return downloading.archive(self.policy, _path("batches", batch_id), Path(target), partial)

    def _pages(
        self, shape: type[Shape], path: str, member: str, params: Mapping[str, str], limit: int | None
    ) -> Steps[None]:
        asked = {"limit": str(min(limit or 100, 100))} | dict(params)
        while True:
            page = yield from self._json(Call("GET", path, asked))
            for one in page[member]:
                yield Emit(shape.model_validate(one))
                if limit is not None and (limit := limit - 1) <= 0:
                    return
            if not page.get("nextCursor"):
                return
            asked["cursor"] = page["nextCursor"]

    def _json(self, call: Call) -> Steps[dict[str, Any]]:
        reply = yield from ask(self.policy, call)
        told: dict[str, Any] = json.loads(reply.body)
        return told

    def _get(self, shape: type[S], call: Call) -> Steps[S]:
        reply = yield from ask(self.policy, call)
        return shape.model_validate_json(reply.body)


def _post(path: str, told: Mapping[str, Any] | None = None) -> Call:
    body = None if told is None else Json(_json(told).encode())
    return Call("POST", path, headers={"Idempotency-Key": f'"{uuid.uuid4()}"'}, body=body)


def _path(*parts: str) -> str:
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _filter(code: str | None, batch_id: str | None) -> dict[str, str]:
    return {name: value for name, value in (("code", code), ("batchId", batch_id)) if value is not None}


def _told(message: sse.Message) -> dict[str, Any]:
    """An event as the shapes have it: what every event has, and its facts apart."""
    told = json.loads(message.data)
    facts = {name: value for name, value in told.items() if name not in _ENVELOPE}
    return {name: told.get(name) for name in _ENVELOPE} | {"data": facts}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
