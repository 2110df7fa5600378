"""`pixelmill backfill`: everything that a bucket or a folder holds already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelmill.cli.common import load_settings, run
from pixelmill.cli.submit import read_recipe
from pixelmill.errors import PixelmillError

if TYPE_CHECKING:
    from pixelmill.pipeline import Wanted
    from pixelmill.settings import Settings


def backfill(
    source: Annotated[str, typer.Argument(help="s3://bucket/prefix, gs://…, az://… or file:///folder.")],
    preset: Annotated[str | None, typer.Option("--preset", "-p", help="Name of a preset.  [default: default]")] = None,
    recipe: Annotated[Path | None, typer.Option("--recipe", "-r", help="Recipe as a JSON or TOML file.")] = None,
    priority: Annotated[int, typer.Option(min=0, help="0 goes first; then 1, 2 …")] = 100,
    page: Annotated[int, typer.Option(min=1, max=1000, help="Images of one batch.")] = 100,
    depth: Annotated[int, typer.Option(min=1, help="It waits while so many images wait already.")] = 1000,
    again: Annotated[bool, typer.Option("--again", help="From the beginning.")] = False,
) -> None:
    """Have everything made that a bucket or a folder holds already.

    Runs beside the service, with the service's settings (database, queue, storage); the source is only read, with the
    same AWS_* names. Broken off, it goes on where it was when it is started again.
    """
    from pixelmill import logs
    from pixelmill.pipeline import Wanted
    from pixelmill.recipes import load_presets, parse_recipe

    settings = load_settings()
    logs.configure(settings.log_level)
    if preset and recipe:
        raise PixelmillError("bad-request", "Give --preset or --recipe, not both.")
    if recipe:
        wanted = Wanted(source, parse_recipe(read_recipe(recipe)), None, None, priority, page, depth)
    else:
        presets = load_presets(settings.presets_dir)
        name = preset or "default"
        if name not in presets:
            raise PixelmillError("unknown-preset", f"There is no preset {name!r}; there are: {', '.join(presets)}.")
        wanted = Wanted(source, presets[name].recipe, name, presets[name].retention, priority, page, depth)
    run(_run(settings, wanted, again), "backfill")


async def _run(settings: Settings, wanted: Wanted, again: bool) -> None:
    from pixelmill import app

    def told(images: int, key: str) -> None:
        typer.echo(f"{images:,} images, up to {key}", err=True)

    total = await app.backfill(settings, wanted, told, again=again)
    typer.echo(f"{total:,} images were taken in.")
