"""When a request is sent again, and after how long."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from pixelmill.client.errors import ConnectionLost, ProblemError
from pixelmill.client.steps import Call, Dropped, Reply, Sleep, Steps, call

#: Refused before anything was done: worth another try, whatever it was.
_LATER = frozenset({429, 503})
#: The way to the service failed: it may have been done.
_LOST = frozenset({502, 504})
#: Members of every problem; the others are ``extra``.
_MEMBERS = frozenset({"type", "title", "status", "detail", "code", "instance"})


@dataclass(frozen=True)
class Policy:
    """``retries`` after the first try; ``longest``: seconds of Retry-After beyond which the refusal is handed on."""

    retries: int = 5
    longest: float = 60.0
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic

    def pause(self, failures: int) -> float:
        """Seconds before the next try: doubling from a quarter of a second to eight, and spread."""
        return float(0.25 * 2 ** min(failures - 1, 5) * (0.5 + self.jitter() / 2))

    def wait(self, request: Call, problem: ProblemError, failures: int) -> float | None:
        """Seconds until a refused request is worth another try; None: never."""
        running = problem.code == "idempotency-running"
        lost = problem.status in _LOST and request.safe
        if failures > self.retries or not (problem.status in _LATER or running or lost):
            return None
        if problem.retry_after is None:
            return self.pause(failures)
        # Never before the time that was asked for; spread a little beyond it.
        return problem.retry_after * (1 + self.jitter() / 10) if problem.retry_after <= self.longest else None


def ask(policy: Policy, request: Call) -> Steps[Reply]:
    """Send ``request`` until it is answered well. Raises ProblemError or ConnectionLost."""
    failures = 0
    while True:
        try:
            reply = yield from call(request)
        except Dropped as drop:
            failures += 1
            if failures > policy.retries or not (request.safe or drop.unsent):
                raise ConnectionLost(f"{request.method} {request.path}: {drop}") from drop
            pause = policy.pause(failures)
        else:
            if reply.status < 400:
                return reply
            failures += 1
            problem = problem_of(reply)
            wait = policy.wait(request, problem, failures)
            if wait is None:
                raise problem
            pause = wait
        yield Sleep(pause)


def problem_of(reply: Reply) -> ProblemError:
    try:
        told = json.loads(reply.body)
    except ValueError:
        told = None
    retry_after = _seconds(reply.headers.get("retry-after"))
    if not isinstance(told, dict) or not isinstance(told.get("type"), str):
        title = HTTPStatus(reply.status).phrase if reply.status in set(HTTPStatus) else "Refused"
        return ProblemError(code=f"http-{reply.status}", title=title, status=reply.status, retry_after=retry_after)
    return ProblemError(
        type=told["type"],
        code=str(told.get("code") or told["type"].rstrip("/").rpartition("/")[2]),
        title=str(told.get("title", "")),
        status=reply.status,
        detail=str(told.get("detail", "")),
        extra={name: value for name, value in told.items() if name not in _MEMBERS},
        retry_after=retry_after,
    )


def _seconds(text: str | None) -> float | None:
    """Of Retry-After: seconds, or a date (RFC 9110, 10.2.3)."""
    if not text:
        return None
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
