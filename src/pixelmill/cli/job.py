"""`pixelmill job`: how one image went."""

from __future__ import annotations

from typing import Annotated

import typer

from pixelmill.cli import remote
from pixelmill.cli.remote import DEFAULT_URL, AsJson, Key, Url


def job(
    job_id: Annotated[str, typer.Argument(help="Its id.", metavar="ID")],
    url: Url = DEFAULT_URL,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show one image with its variants, timings and log."""
    with remote.service(url, key) as client:
        found = client.job(job_id)
    if as_json:
        remote.out(found)
        return
    size = f", {found.width}x{found.height}" if found.width else ""
    typer.echo(f"{found.original_name}: {found.state}, {found.format or '?'}{size}, {found.bytes:,} bytes")
    typer.echo(f"batch {found.batch_id}")
    if found.failed_reason:
        typer.echo(f"{found.error_code}: {found.failed_reason}")
    rows = [
        (
            one.name,
            one.state,
            one.format or "-",
            f"{one.width}x{one.height}" if one.width else "-",
            f"{one.bytes:,}" if one.bytes is not None else "-",
            one.url or (one.error.detail if one.error else "-"),
        )
        for one in found.variants
    ]
    remote.table(("variant", "state", "format", "pixels", "bytes", "where"), rows)
    for name, seconds in found.timings.items():
        typer.echo(f"  {name}: {seconds:.3f} s")
    for line in found.log:
        typer.echo(f"{line.at:%H:%M:%S.%f} {line.message}")
