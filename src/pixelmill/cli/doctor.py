"""``pixelmill doctor``: what this machine can do, found out by doing it in a decoder process."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
from typing import BinaryIO, cast

import typer
from rich.console import Console
from rich.table import Table

from pixelmill.cli import interpreter
from pixelmill.errors import PixelmillError
from pixelmill.imaging import Decoders, Made
from pixelmill.recipes import FORMATS, Recipe, parse_recipe

PACKAGES = ("pixelmill", "pyvips", "pyvips-binary", "Pillow", "pi-heif", "imagecodecs", "ajpegli", "ssimulacra2")
LAYERS = {
    "limits": "memory, CPU time, files",
    "death-signal": "ends with its parent",
    "no-privileges": "no capabilities, none to be gained",
    "seccomp": "starts no program, opens no socket",
    "landlock": "reads only Python, libraries and fonts",
}
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="32" height="32"><circle cx="16" cy="16" r="12"/></svg>'


def doctor() -> None:
    """Tell what this machine can do: versions, formats, sandbox. Exit code 1 if something is missing."""
    console = Console(highlight=False)
    console.print(f"Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} cores")
    if not interpreter.is_optimised():
        console.print(interpreter.ADVICE, style="yellow")
    console.print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES))
    console.print(f"libvips {_library('import pyvips; print(*(pyvips.version(i) for i in range(3)), sep=chr(46))')}")
    heic = _library("import pi_heif; print(pi_heif.libheif_version())")
    try:
        held, reads, writes = asyncio.run(_try())
    except PixelmillError as error:
        console.print(f"[red]no decoder:[/red] {error.detail}")
        raise typer.Exit(1) from None
    formats = Table("format", "in", "out")
    for name in FORMATS:
        formats.add_row(name, _yes(name in reads), _yes(name in writes))
    formats.add_row("heic", f"yes, libheif {heic}" if heic[:1].isdigit() else "[red]no[/red]", "no")
    formats.add_row("svg", _yes("svg" in reads), "no")
    console.print(formats)
    layers = Table("layer of the sandbox", "what it does", "holds")
    for layer, does in LAYERS.items():
        layers.add_row(layer, does, _yes(layer in held))
    console.print(layers)
    if set(FORMATS) - reads or set(FORMATS) - writes or "svg" not in reads or not heic[:1].isdigit():
        raise typer.Exit(1)
    if "landlock" not in held or "seccomp" not in held:
        console.print("Decoders work, with fewer walls around them than on a newer Linux.")


def _yes(true: bool) -> str:
    return "yes" if true else "[red]no[/red]"


def _library(code: str) -> str:
    """What a line of Python prints in a process of its own: image libraries are not loaded here."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "missing"


async def _try() -> tuple[list[str], set[str], set[str]]:
    """The layers that hold, the formats that were read, the formats that were written."""
    recipe = parse_recipe({"variants": [{"name": name, "output": {"format": name}} for name in FORMATS]})
    again = parse_recipe({"variants": [{"name": "again", "output": {"format": "png"}}]})
    async with Decoders(1) as decoders:
        made = await _made(decoders, SVG, recipe)
        reads = {name for name, data in made.items() if await _made(decoders, data, again)}
        return decoders.held, reads | ({"svg"} if made else set()), set(made)


async def _made(decoders: Decoders, data: bytes, recipe: Recipe) -> dict[str, bytes]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            results = decoders.make(cast(BinaryIO, file), recipe, [variant.name for variant in recipe.variants])
            return {result.variant: bytes(result.data) async for result in results if isinstance(result, Made)}
        except PixelmillError:
            return {}
