"""The Redis client that every part of the queue uses."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import RedisError

#: What a server that is away raises.
DOWN = (RedisError, OSError, TimeoutError)
#: Seconds for one command, blocking ones included.
LONGEST = 30.0


class Client(redis.Redis):
    """Limits the time of a command itself.

    redis-py's ``socket_timeout`` sends by :func:`asyncio.wait_for`, which makes a task of each command and, before
    Python 3.12, loses a cancellation that comes when the bytes have just left: a loop that only a cancellation ends
    would go on for ever.
    """

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        async with asyncio.timeout(LONGEST):
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


def connect(url: str, *, retries: int = 2, name: str | None = None, connect_seconds: float = 1.0) -> Client:
    """A client of our own. It limits the time of commands; of a pipeline, whoever executes it does.

    redis-py's backoff of up to 10 s is replaced by one of at most 0.2 s, for whoever calls knows better when to try
    again.
    """
    pause = ExponentialBackoff(cap=0.2, base=0.02) if retries else NoBackoff()
    options: dict[str, Any] = {"client_name": name} if name else {}
    client = Client.from_url(
        url,
        decode_responses=True,
        socket_timeout=None,
        socket_connect_timeout=connect_seconds,
        retry=Retry(pause, retries),
        **options,
    )
    return cast(Client, client)
