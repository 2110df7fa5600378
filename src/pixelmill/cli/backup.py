"""`pixelmill backup`: everything in the data folder, while the service runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pixelmill.cli.common import load_settings


def backup(target: Annotated[Path, typer.Argument(help="A folder that is not there yet.")]) -> None:
    """Copy the installation in the data folder, while it runs, into a new folder."""
    from pixelmill.pipeline import backup

    told = backup.make(load_settings(), target)
    typer.echo(
        f"{told.files} files, {told.bytes / 1e6:.1f} MB are in {target}. It holds the service's secret: guard it."
    )
