"""`pixelmill keys`: make, list and revoke API keys, on the database itself: the first key needs no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from pixelmill.cli.common import load_settings
from pixelmill.errors import PixelmillError

if TYPE_CHECKING:
    from pixelmill.records import Database

T = TypeVar("T")


class Scope(Enum):
    UPLOAD = "upload"
    READ = "read"
    ADMIN = "admin"


keys = typer.Typer(
    name="keys",
    help="Make, list and revoke API keys.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@keys.command("make")
def make(
    name: Annotated[str, typer.Argument(help="A name for people.")],
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            help="What it may do; may be given more than once. `admin` includes the others.",
            show_default="upload, read",
        ),
    ] = None,
    owner: Annotated[str, typer.Option(help="The tenant it is for; without one it is the service's own.")] = "",
    days: Annotated[float | None, typer.Option(min=0.001, help="Days until it expires; never without.")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(min=0, help="0: no limit.")] = None,
    bytes_per_day: Annotated[int | None, typer.Option(min=0, help="0: no limit.")] = None,
    images_in_flight: Annotated[int | None, typer.Option(min=0, help="0: no limit.")] = None,
) -> None:
    """Make a key and print it, once. From the first one on, every request needs one."""
    from pixelmill.records import keys as records

    if not records.owner_is_fine(owner):
        detail = "--owner takes up to 64 letters, digits and . _ @ -, a letter or digit first."
        raise PixelmillError("bad-request", detail)
    limits = {
        "requestsPerMinute": requests_per_minute,
        "bytesPerDay": bytes_per_day,
        "imagesInFlight": images_in_flight,
    }
    expires_at = datetime.now(UTC) + timedelta(days=days) if days is not None else None

    async def run(db: Database) -> tuple[records.Key, str]:
        return await records.make(
            db,
            owner=owner,
            name=name,
            scopes=[one.value for one in scope or (Scope.UPLOAD, Scope.READ)],
            limits={name: limit for name, limit in limits.items() if limit is not None},
            expires_at=expires_at,
        )

    key, secret = _with_database(run)
    typer.echo(f"Key {key.id}. It is shown only now:", err=True)
    typer.echo(secret)


@keys.command("list")
def list_(
    owner: Annotated[str | None, typer.Option(help="Only those of this tenant.")] = None,
) -> None:
    """List all keys, newest first."""
    from rich.console import Console
    from rich.table import Table

    from pixelmill.records import keys as records

    async def run(db: Database) -> list[records.Key]:
        found: list[records.Key] = []
        cursor: str | None = None
        while True:
            page, cursor = await records.page(db, owner=owner, cursor=cursor, limit=500)
            found += page
            if cursor is None:
                return found

    table = Table("id", "prefix", "name", "owner", "scopes", "made", "last used", "state", box=None)
    for key in _with_database(run):
        now = datetime.now(UTC)
        state = "revoked" if key.revoked_at else "usable" if key.usable(now) else "expired"
        used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
        made = f"{key.created_at:%Y-%m-%d %H:%M}"
        table.add_row(key.id, key.prefix, key.name, key.owner, ",".join(sorted(key.scopes)), made, used, state)
    console = Console()
    # Not a terminal: whole lines, for other programs.
    Console(width=max(console.width, 400) if not console.is_terminal else None).print(table)


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(help="The id that `list` shows.")],
) -> None:
    """End a key for good. It is refused from now on; the others stay as they are."""
    from pixelmill.records import keys as records

    async def run(db: Database) -> records.Key | None:
        return await records.revoke(db, key_id)

    if _with_database(run) is None:
        raise PixelmillError("not-found", f"There is no key {key_id!r}; `pixelmill keys list` shows all.")
    typer.echo(f"Key {key_id} is revoked.", err=True)


def _with_database(work: Callable[[Database], Awaitable[T]]) -> T:
    """Run ``work`` on the database, brought up to date first."""
    from pixelmill import app

    async def run() -> T:
        settings = load_settings()
        await app.migrate(settings)
        db = app.database(settings)
        try:
            return await work(db)
        finally:
            await db.close()

    return asyncio.run(run())
