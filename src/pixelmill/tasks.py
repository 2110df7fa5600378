"""What every part needs of asyncio's tasks."""

from __future__ import annotations

import asyncio
from typing import Any


def look_at_error(task: asyncio.Task[Any]) -> None:
    """A done-callback for a task that several wait for: all may have gone, and its error is of no interest then.

    Asyncio complains of an exception that nobody has looked at.
    """
    if not task.cancelled():
        task.exception()
