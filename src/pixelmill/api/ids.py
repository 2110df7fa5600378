"""Ids and cursors that come from outside. One that cannot be ours is simply not found."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Path, Query

from pixelmill.errors import PixelmillError

_ID = re.compile(r"[0-9A-Za-z-]{1,36}\Z")
_EXAMPLE = "0197a1c2-7b1e-7c3a-9d0e-2f6a1b3c4d5e"


async def _batch_id(batchId: Annotated[str, Path(examples=[_EXAMPLE])]) -> str:
    return known(batchId, "batch")


async def _job_id(jobId: Annotated[str, Path(examples=[_EXAMPLE])]) -> str:
    return known(jobId, "job")


def known(value: str, what: str) -> str:
    """``value`` if it can be an id. Raises PixelmillError ``not-found``."""
    if not _ID.match(value):
        raise gone(what, value)
    return value


def gone(what: str, value: str) -> PixelmillError:
    return PixelmillError(
        "not-found", f"There is no {what} {value[:64]!r}; records are deleted when their time is over."
    )


BatchId = Annotated[str, Depends(_batch_id)]
JobId = Annotated[str, Depends(_job_id)]
#: Of a list of what has ids.
Cursor = Annotated[str | None, Query(pattern="^[0-9A-Za-z-]{1,36}$", description="`nextCursor` of the page before.")]
#: Of the files of a batch: the position of the last one.
Position = Annotated[str | None, Query(pattern="^[0-9]{1,9}$", description="`nextCursor` of the page before.")]
