"""BullMQ's Lua scripts, called through its own argument builders: the one place that knows their shapes.

Pinned to ``bullmq>=3.4.4,<3.5``; a new minor version may change a script's keys or arguments.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import redis.asyncio as redis
from bullmq.job import Job as BullJob
from bullmq.redis_connection import RedisConnection
from bullmq.scripts import Scripts
from redis.asyncio.client import Pipeline
from redis.exceptions import NoScriptError

from pixelmill.queue.job import NAME, Foreign, Job, read

PREFIX = "bull"
LARGEST_PRIORITY = 2_097_151  # BullMQ packs it into the upper bits of a double
_ENDED = "pixelmillEnded"  # a field of our own in the job's hash: this id was finished once

# What stays to be looked at in Arena or bull-board. The record is in SQL, so that little is enough.
KEEP_COMPLETED = {"count": 1_000}
KEEP_FAILED = {"count": 5_000}


class _Script:
    """A script that can be put into a pipeline without redis-py's extra ``SCRIPT EXISTS`` round trip."""

    def __init__(self, registered: Any) -> None:
        self._registered = registered

    def __call__(self, keys: Sequence[str], args: Sequence[Any], client: Any = None) -> Any:
        if isinstance(client, Pipeline):
            return client.evalsha(self._registered.sha, len(keys), *keys, *args)
        return self._registered(keys=keys, args=args, client=client)


@dataclass(frozen=True, slots=True)
class Taken:
    """A job that is ours until its lock ends; ``at``: since when, by time.monotonic()."""

    job: Job | Foreign
    bull: BullJob
    token: str
    at: float = field(default_factory=time.monotonic)

    @property
    def urgent(self) -> bool:
        """Whether it is of those that go first."""
        return not self.bull.opts.get("priority")


@dataclass(frozen=True, slots=True)
class Nothing:
    """No job now. ``until`` is when to look again (ms since 1970; 0: nothing is known); ``limited``: not before."""

    until: float = 0
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Ghost:
    """An id in the lists whose job is gone (somebody deleted it by hand)."""

    id: str


class Protocol:
    """The scripts on one connection, for one queue."""

    def __init__(self, client: redis.Redis, name: str) -> None:
        self.client = client
        self._connection = RedisConnection(client)
        self._commands: dict[str, Any] = self._connection.commands
        for key, registered in list(self._commands.items()):
            self._commands[key] = _Script(registered)
        self.scripts = Scripts(PREFIX, name, self._connection)
        self.keys: dict[str, str] = self.scripts.keys
        # What BullMQ's Job asks of its queue.
        self._queue = SimpleNamespace(backend=None, qualifiedName=f"{PREFIX}:{name}", opts={})

    def key(self, job_id: str) -> str:
        return str(self.scripts.toKey(job_id))

    async def load(self) -> None:
        """Make the scripts that pipelines use known to the server."""
        for name in ("addStandardJob", "addDelayedJob", "addPrioritizedJob", "removeJob"):
            await self.client.script_load(self._commands[name]._registered.script)

    async def piped(self, pipe: Pipeline) -> list[Any]:
        """Run a pipeline of scripts that may run twice; a server that does not know them yet is told."""
        commands = list(pipe.command_stack)
        try:
            return list(await pipe.execute())
        except NoScriptError:
            await self.load()
            pipe.command_stack = commands
            return list(await pipe.execute())

    async def add(self, pipe: Pipeline, job: Job) -> None:
        """Put the adding of a job into a pipeline. An id that BullMQ holds in any state is left as it is."""
        priority = max(0, min(job.priority, LARGEST_PRIORITY))
        options: dict[str, Any] = {
            "attempts": 1,
            "priority": priority,
            "delay": round(job.delay * 1000),
            "removeOnComplete": KEEP_COMPLETED,
            "removeOnFail": KEEP_FAILED,
        }
        bull = BullJob(self._queue, NAME, job.data, options, job.id)
        await self.scripts.addJob(bull, pipe)

    def remove(self, pipe: Pipeline, job_id: str) -> None:
        keys = [self.key(job_id), self.keys["repeat"]]
        self._commands["removeJob"](keys=keys, args=[job_id, 1, self.keys[""]], client=pipe)

    async def take(self, token: str, lock_ms: int) -> Taken | Nothing | Ghost:
        raw = await self.scripts.moveToActive(token, {"lockDuration": lock_ms})
        return self._next(raw, token)

    async def done(
        self, taken: Taken, value: dict[str, Any] | None, lock_ms: int, *, fetch: bool
    ) -> Taken | Nothing | Ghost | None:
        """Acknowledge, and with ``fetch`` take the next job in the same round trip. None: nothing is known of it.

        Raises TypeError when the job is not ours any more (BullMQ's way to say so).
        """
        keep = _kept(taken, "removeOnComplete", KEEP_COMPLETED)
        return await self._finish(taken, value, "returnvalue", keep, "completed", lock_ms, fetch, {})

    async def failed(self, taken: Taken, reason: str, lock_ms: int, *, fetch: bool) -> Taken | Nothing | Ghost | None:
        """The same for a failure. No further try by BullMQ: SQL alone counts tries."""
        keep = _kept(taken, "removeOnFail", KEEP_FAILED)
        fields = {"failedReason": reason, "stacktrace": json.dumps([reason])}
        return await self._finish(taken, reason, "failedReason", keep, "failed", lock_ms, fetch, fields)

    async def _finish(
        self,
        taken: Taken,
        value: Any,
        field: str,
        keep: Any,
        target: str,
        lock_ms: int,
        fetch: bool,
        fields: dict[str, str],
    ) -> Taken | Nothing | Ghost | None:
        bull = taken.bull
        bull.queue.opts = {"lockDuration": lock_ms}
        keys, args = self.scripts.moveToFinishedArgs(
            bull, value, field, keep, target, taken.token, fetch, {**fields, _ENDED: "1"}
        )
        raw = await self.scripts.moveToFinished(bull.id, keys, args)
        return self._next(raw, taken.token) if fetch and raw else None

    async def later(self, taken: Taken, seconds: float, lock_ms: int, *, fetch: bool) -> Taken | Nothing | Ghost | None:
        """Move a job to the delayed set. Raises TypeError when it is not ours any more."""
        options = {"skipAttempt": True, "fetchNext": fetch, "workerOpts": {"lockDuration": lock_ms}}
        delay = max(0, round(seconds * 1000))
        now = round(time.time() * 1000)
        raw = await self.scripts.moveToDelayed(taken.bull.id, now, delay, taken.token, options)
        return self._next(raw, taken.token) if fetch and raw else None

    async def extend(self, taken: Sequence[Taken], lock_ms: int) -> list[str]:
        """Renew locks; the ids of those that are lost."""
        ids = [one.bull.id for one in taken]
        lost = await self.scripts.extendJobLocks(ids, [one.token for one in taken], lock_ms)
        return [str(job_id) for job_id in lost or []]

    async def scan(self, most_stalls: int, interval_ms: int) -> list[str]:
        """Put jobs whose lock has ended back in front of the waiting list; their ids."""
        return [str(job_id) for job_id in await self.scripts.moveStalledJobsToWait(most_stalls, interval_ms) or []]

    async def wake(self) -> None:
        """Set the marker that idle workers wait for."""
        await self.client.zadd(self.keys["marker"], {"0": 0})

    def _next(self, raw: list[Any], token: str) -> Taken | Nothing | Ghost:
        fields, job_id, limit, delay = raw
        if fields and job_id:
            if "name" not in fields:
                return Ghost(str(job_id))
            try:
                bull = BullJob.fromJSON(self._queue, fields, job_id)
            except (ValueError, TypeError, AttributeError):  # not JSON: hand it out as a foreign job without data
                bull = BullJob.fromJSON(self._queue, {"name": fields["name"], "data": "null"}, job_id)
            retried = bull.attemptsMade > 0 or _ENDED in fields
            job = read(str(job_id), str(fields["name"]), bull.data, retried=retried, added=bull.timestamp)
            return Taken(job, bull, token)
        if limit and int(limit) > 0:
            return Nothing(time.time() * 1000 + int(limit), limited=True)
        return Nothing(float(delay or 0))


def _kept(taken: Taken, option: str, ours: dict[str, int]) -> Any:
    """How many finished jobs stay: what its adder asked for, else BullMQ's default (all) only for foreign jobs."""
    return taken.bull.opts.get(option, ours if isinstance(taken.job, Job) else False)
