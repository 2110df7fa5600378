"""`pixelmill restore`: a backup into an empty data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pixelmill.cli.common import load_settings


def restore(source: Annotated[Path, typer.Argument(help="A folder that `pixelmill backup` made.")]) -> None:
    """Fill an empty data folder (PIXELMILL_DATA_DIR) from a backup."""
    from pixelmill.pipeline import backup

    settings = load_settings()
    told = backup.restore(settings, source)
    typer.echo(f"{told.files} files, {told.bytes / 1e6:.1f} MB are in {settings.data_dir}. `pixelmill serve` goes on.")
