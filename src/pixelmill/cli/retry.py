"""`pixelmill retry`: have failed images done again."""

from __future__ import annotations

from typing import Annotated

import typer

from pixelmill.cli import remote
from pixelmill.cli.remote import DEFAULT_URL, AsJson, Key, Url


def retry(
    jobs: Annotated[list[str], typer.Argument(help="Ids of images.", metavar="JOB…")],
    url: Url = DEFAULT_URL,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Have failed images done again. Variants that are done stay; a batch that was over is open again."""
    with remote.service(url, key) as client:
        for one in jobs:
            found = client.retry(one)
            if as_json:
                remote.out(found)
            else:
                typer.echo(f"{found.job_id} {found.state}")
