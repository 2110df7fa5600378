"""`pixelmill get`: fetch the results of a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pixelmill.cli import remote
from pixelmill.cli.remote import DEFAULT_URL, AsJson, Key, Url


def get(
    batch: Annotated[str, typer.Argument(help="Its id.", metavar="BATCH")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the results; a name that ends in .zip: one archive.")
    ],
    partial: Annotated[bool, typer.Option("--partial", help="Do not wait for its end: fetch what there is.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Fetch every result of a batch, waiting for its end first. Prints the files that it wrote.

    Exit code 1 when an image failed, was canceled or, with --partial, is not done yet.
    """
    with remote.service(url, key) as client:
        found = client.batch(batch) if partial else remote.follow(client, batch, as_json=as_json)
        if output.suffix.lower() == ".zip":
            files = [client.archive(batch, output, partial=partial)]
        else:
            files = remote.fetch(client, found, output, remote.names(), quiet=as_json)
        if as_json:
            remote.out({"batchId": found.batch_id, "status": found.status, "saved": [str(path) for path in files]})
        else:
            for path in files:
                typer.echo(path)
            remote.summarise(found)
    raise typer.Exit(remote.worth(found))
