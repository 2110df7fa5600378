"""`pixelmill watch`: follow a batch, live, until it is over."""

from __future__ import annotations

from typing import Annotated

import typer

from pixelmill.cli import remote
from pixelmill.cli.remote import DEFAULT_URL, AsJson, Key, Url


def watch(
    batch: Annotated[str, typer.Argument(help="Its id.", metavar="BATCH")],
    url: Url = DEFAULT_URL,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show what happens to a batch, from its start until it is over; with --json each event as it comes.

    A line that breaks is taken up again. Exit code 1 when an image failed or was canceled.
    """
    with remote.service(url, key) as client:
        over = remote.follow(client, batch, as_json=as_json, tell=True)
        if not as_json:
            remote.summarise(over)
    raise typer.Exit(remote.worth(over))
