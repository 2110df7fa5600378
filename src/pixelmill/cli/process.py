"""``pixelmill process``: variants of photos on this machine, with no server."""

from __future__ import annotations

import asyncio
import os
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pixelmill.errors import PixelmillError
from pixelmill.imaging import Decoders, Inspected, Limits, Made, NotMade
from pixelmill.recipes import Preset, Recipe, Source, load_presets, parse_recipe, picture
from pixelmill.settings import Settings


def process(
    photos: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for what is made.")],
    preset: Annotated[str | None, typer.Option("--preset", "-p", help="Name of a preset.  [default: default]")] = None,
    recipe: Annotated[Path | None, typer.Option("--recipe", "-r", help="Recipe as a JSON or TOML file.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Images at a time; 0 is one for each core.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar; only what failed is told.")] = False,
) -> None:
    """Make variants of photos on this machine, with no server. Exit code 1 when anything failed."""
    screen = Console(stderr=True, quiet=quiet)
    told = Console(stderr=True)
    try:
        if preset and recipe:
            raise PixelmillError("bad-request", "Give --preset or --recipe, not both.")
        settings = Settings()
        chosen = Preset("", "", "", _recipe(recipe)) if recipe else _preset(preset or "default", settings.presets_dir)
        files = _files(photos)
        if not files:
            raise PixelmillError("no-files", "No image files there.")
    except PixelmillError as error:
        told.print(f"[red]error[/red] {escape(error.detail)}", highlight=False)
        raise typer.Exit(2) from None
    limits = Limits.of(settings)
    run = _Run(chosen.recipe, output, _stems(files), chosen.picture)
    bar = Progress(
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=screen,
        disable=quiet,
    )
    with bar:
        asyncio.run(run.all(files, jobs or os.cpu_count() or 1, limits, bar))
    for problem in run.problems:
        told.print(f"[red]failed[/red] {escape(problem)}", highlight=False, soft_wrap=True)
    saved = f", {run.bytes_in:,} bytes in, {run.bytes_out:,} out" if run.made else ""
    screen.print(f"{run.made} variants of {len(files) - len(run.failed)} images in {escape(str(output))}{saved}")
    if run.problems:
        raise typer.Exit(1)


@dataclass
class _Run:
    """One run: what is made of each file goes to ``<stem>-<variant>.<extension>`` in the folder, and with a preset
    that asks for it, a ``<picture>`` element that shows the files to ``<stem>.html``."""

    recipe: Recipe
    folder: Path
    stems: dict[Path, str]
    picture: dict[str, Any] | None = None
    problems: list[str] = field(default_factory=list)
    failed: set[Path] = field(default_factory=set)
    made: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    async def all(self, files: list[Path], jobs: int, limits: Limits, bar: Progress) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        task = bar.add_task("making", total=len(files) * len(self.recipe.variants))
        queue = list(reversed(files))

        async def worker(decoders: Decoders) -> None:
            while queue:
                file = queue.pop()
                done = await self.one(file, decoders, bar, task)
                bar.advance(task, len(self.recipe.variants) - done)

        async with Decoders(min(jobs, len(files)), limits) as decoders:
            await asyncio.gather(*(worker(decoders) for _ in range(decoders.size)))

    async def one(self, file: Path, decoders: Decoders, bar: Progress, task: TaskID) -> int:
        """Make all variants of ``file``; of how many the bar was told."""
        done = 0
        sources: list[Source] = []
        names = [variant.name for variant in self.recipe.variants]
        try:
            with file.open("rb") as source:
                async for result in decoders.make(source, self.recipe, names):
                    if isinstance(result, Inspected):
                        self.bytes_in += result.bytes
                    elif isinstance(result, Made):
                        name = self._write(file, result)
                        sources.append(Source(quote(name), result.content_type, result.width, result.height))
                    elif isinstance(result, NotMade):
                        self._problem(file, f"{result.variant}: {result.reason} ({result.code})")
                    if isinstance(result, Made | NotMade):
                        done += 1
                        bar.advance(task, 1)
        except PixelmillError as error:
            self._problem(file, f"{error.detail} ({error.code})")
        except OSError as error:
            self._problem(file, error.strerror or str(error))
        if self.picture is not None and sources:
            snippet = picture(sources, sizes=str(self.picture.get("sizes", "100vw")))
            (self.folder / f"{self.stems[file]}.html").write_text(snippet, "utf-8")
        return done

    def _write(self, file: Path, made: Made) -> str:
        path = self.folder / f"{self.stems[file]}-{made.variant}.{made.extension}"
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(made.data)
        part.replace(path)
        self.made += 1
        self.bytes_out += len(made.data)
        return path.name

    def _problem(self, file: Path, text: str) -> None:
        self.failed.add(file)
        self.problems.append(f"{file}: {text}")


def _recipe(file: Path) -> Recipe:
    try:
        if file.suffix.lower() == ".toml":
            return parse_recipe(tomllib.loads(file.read_text("utf-8")))
        return parse_recipe(file.read_bytes())
    except PixelmillError as error:
        raise PixelmillError("bad-recipe", f"{file}: {error.detail}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PixelmillError("bad-recipe", f"{file}: {error}") from None
    except OSError as error:
        raise PixelmillError("bad-recipe", f"{file}: {error.strerror}") from None


def _preset(name: str, folder: Path | None) -> Preset:
    presets = load_presets(folder)
    if name not in presets:
        raise PixelmillError("unknown-preset", f"No preset is called {name!r}; there are {', '.join(presets)}.")
    return presets[name]


def _files(photos: list[Path]) -> list[Path]:
    files: dict[Path, None] = {}
    for photo in photos:
        inside = sorted(path for path in photo.rglob("*") if path.is_file()) if photo.is_dir() else [photo]
        files |= dict.fromkeys(inside)
    return list(files)


def _stems(files: list[Path]) -> dict[Path, str]:
    """A name for each file that no other has: ``a/x.jpg`` and ``b/x.png`` become ``x`` and ``x-2``."""
    taken: set[str] = set()
    stems: dict[Path, str] = {}
    for file in files:
        stem, number = file.stem, 1
        while stem in taken:
            number += 1
            stem = f"{file.stem}-{number}"
        taken.add(stem)
        stems[file] = stem
    return stems


if __name__ == "__main__":
    typer.run(process)
    sys.exit(0)
