"""`pixelmill cancel`: stop what is not done."""

from __future__ import annotations

from typing import Annotated

import typer

from pixelmill.cli import remote
from pixelmill.cli.remote import DEFAULT_URL, AsJson, Key, Url


def cancel(
    batch: Annotated[str, typer.Argument(help="Its id.", metavar="BATCH")],
    url: Url = DEFAULT_URL,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Cancel what is not over in a batch. What is done stays, and a batch that is over stays as it is."""
    with remote.service(url, key) as client:
        found = client.cancel(batch)
    if as_json:
        remote.out(found)
    else:
        of = found.progress
        typer.echo(f"{found.batch_id} {found.status}: {of.completed} completed, {of.canceled} canceled")
