"""`pixelmill dead-letters`: images that failed for good. Look at them, have them done again, or delete them."""

from __future__ import annotations

from typing import Annotated

import typer

from pixelmill.cli import remote
from pixelmill.cli.remote import DEFAULT_URL, AsJson, Key, Url

dead_letters = typer.Typer(
    name="dead-letters",
    help="Images that failed for good: look at them, have them done again, or delete them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Jobs = Annotated[list[str] | None, typer.Argument(help="Ids of images.", metavar="JOB…", show_default=False)]
Code = Annotated[str | None, typer.Option("--code", help="Only those that failed with this code.")]
OfBatch = Annotated[str | None, typer.Option("--batch", help="Only those of this batch.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


@dead_letters.command("list")
def list_(
    code: Code = None,
    batch: OfBatch = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    url: Url = DEFAULT_URL,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List them, newest first."""
    with remote.service(url, key) as client:
        rows = []
        for one in client.dead_letters(code, batch, limit):
            if as_json:
                remote.out(one)
            else:
                rows.append((one.job_id, one.original_name, one.error_code or "-", one.failed_reason or "-"))
    if not as_json:
        remote.table(("job", "name", "code", "why"), rows)


@dead_letters.command("replay")
def replay(
    jobs: Jobs = None,
    code: Code = None,
    batch: OfBatch = None,
    all_: All = False,
    url: Url = DEFAULT_URL,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Have images done again: those named, those that match, or all."""
    _one_way(jobs, code, batch, all_)
    with remote.service(url, key) as client:
        if jobs:
            for one in jobs:
                client.replay_dead_letter(one)
            replayed, skipped = len(jobs), 0
        else:
            done = client.replay_dead_letters(code, batch)
            replayed, skipped = done.replayed, done.skipped
    if as_json:
        remote.out({"replayed": replayed, "skipped": skipped})
    else:
        left = f"; {skipped} cannot be: their retention is over" if skipped else ""
        typer.echo(f"{replayed} are done again{left}")


@dead_letters.command("purge")
def purge(
    jobs: Jobs = None,
    code: Code = None,
    batch: OfBatch = None,
    all_: All = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Delete the bytes of images: those named, those that match, or all. Their batches still count them as failed."""
    _one_way(jobs, code, batch, all_)
    if not yes:
        typer.confirm("Their bytes cannot be had again. Delete them?", abort=True, err=True)
    with remote.service(url, key) as client:
        if jobs:
            for one in jobs:
                client.purge_dead_letter(one)
            purged = len(jobs)
        else:
            purged = client.purge_dead_letters(code, batch).purged
    if as_json:
        remote.out({"purged": purged})
    else:
        typer.echo(f"{purged} are deleted")


def _one_way(jobs: list[str] | None, code: str | None, batch: str | None, all_: bool) -> None:
    """Nobody replays or deletes everything by leaving something out."""
    if [bool(jobs), bool(code or batch), all_].count(True) != 1:
        remote.complain("Name images, or give --code or --batch, or --all.")
        raise typer.Exit(remote.REFUSED)
