"""A mend for redis-py 8, which loses a cancellation that comes in the first moments of a command."""

from __future__ import annotations

import asyncio
from typing import Any


def obey_cancellation() -> None:
    """Raise the CancelledError that the last command swallowed. For loops that only a cancellation ends."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def cancel(task: asyncio.Future[Any]) -> None:
    """Cancel a command until it has ended."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.05)
    if not task.cancelled():
        task.exception()  # known, and of no interest
