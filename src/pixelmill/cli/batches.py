"""`pixelmill batches`: list them."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from pixelmill.cli import remote
from pixelmill.cli.remote import DEFAULT_URL, AsJson, Key, Url


class Status(Enum):
    WAITING = "waiting"
    PROCESSING = "processing"
    COMPLETED = "completed"
    WITH_ERRORS = "completed-with-errors"
    CANCELED = "canceled"


def batches(
    status: Annotated[Status | None, typer.Option(help="Only those that stand so.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    url: Url = DEFAULT_URL,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List batches, newest first."""
    with remote.service(url, key) as client:
        rows = []
        for one in client.batches(status.value if status else None, limit):
            if as_json:
                remote.out(one)
            else:
                of = one.progress
                made = f"{one.created_at:%Y-%m-%d %H:%M:%S}"
                done = f"{of.completed}/{of.total}"
                rows.append((one.batch_id, one.status, done, str(of.failed), one.preset or "-", made))
    if not as_json:
        remote.table(("batch", "status", "done", "failed", "preset", "made"), rows)
