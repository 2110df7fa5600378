"""``pixelmill doctor``: what this machine can do."""

from __future__ import annotations

import asyncio
import importlib.metadata
import platform

import typer
from rich.console import Console
from rich.table import Table

from pixelmill.errors import PixelmillError
from pixelmill.imaging import Decoders


def doctor() -> None:
    """Tell what this machine can do. Exit code 1 if a part is missing."""
    console = Console()
    console.print(f"Python {platform.python_version()} on {platform.platform()}")
    for name in ("pixelmill", "pyvips", "pyvips-binary", "Pillow", "pi-heif", "imagecodecs", "ajpegli"):
        console.print(f"  {name} {importlib.metadata.version(name)}", highlight=False)
    try:
        held = asyncio.run(_held())
    except PixelmillError as error:
        console.print(f"[red]decoder[/red] {error.detail}")
        raise typer.Exit(1) from None
    table = Table("layer of the sandbox", "holds")
    for layer in ("limits", "death-signal", "no-privileges", "seccomp", "landlock"):
        table.add_row(layer, "yes" if layer in held else "no")
    console.print(table)


async def _held() -> list[str]:
    async with Decoders(1) as decoders:
        return decoders.held
