"""`pixelmill submit`: send photos to a service and, if wanted, wait for what is made of them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelmill.cli import remote
from pixelmill.cli.remote import DEFAULT_URL, AsJson, Key, Url

if TYPE_CHECKING:
    from pixelmill.client import Batch


def submit(
    photos: Annotated[
        list[Path] | None,
        typer.Argument(help="Image files, folders of them, or ZIPs.", metavar="PHOTO…", show_default=False),
    ] = None,
    from_url: Annotated[
        list[str] | None, typer.Option("--from-url", help="Address of an image that the service is to fetch itself.")
    ] = None,
    preset: Annotated[str | None, typer.Option("--preset", "-p", help="Name of a preset.  [default: default]")] = None,
    recipe: Annotated[Path | None, typer.Option("--recipe", "-r", help="Recipe as a JSON or TOML file.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Wait, then fetch every result into this folder.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Wait until it is over, and show how it goes.")] = False,
    priority: Annotated[int | None, typer.Option(min=0, help="0, the default, goes first; then 1, 2 …")] = None,
    metadata: Annotated[str | None, typer.Option(help="A JSON object that is kept with the batch.")] = None,
    callback_url: Annotated[str | None, typer.Option(help="An address that is told when the batch is over.")] = None,
    url: Url = DEFAULT_URL,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Send photos to a service and print the id of their batch.

    More photos than the service takes in one request go in several, each a batch of its own. Exit code: 0 done, 1
    something failed, 2 refused, 3 the service cannot be reached.
    """
    from pixelmill.cli.photos import expand, groups

    options: dict[str, Any] = {
        "preset": preset,
        "recipe": read_recipe(recipe) if recipe else None,
        "metadata": _object(metadata) if metadata else None,
        "priority": priority,
        "callback_url": callback_url,
    }
    if preset and recipe:
        raise _wrong("Give --preset or --recipe, not both.")
    try:
        sources = expand(photos or [])
    except OSError as error:
        raise _wrong(str(error)) from None
    if not sources and not from_url:
        raise _wrong("There are no image files there.")
    wait = watch or output is not None
    with remote.service(url, key) as client:
        batches: list[Batch] = []
        parts = groups(sources, client.limits().max_files)
        try:
            with remote.bars(quiet=as_json, bytes_=True) as progress:
                for number, part in enumerate(parts, 1):
                    name = f"upload {number}/{len(parts)}" if len(parts) > 1 else "upload"
                    task = progress.add_task(name, total=None)

                    def on_progress(sent: int, total: int, task: Any = task) -> None:
                        progress.update(task, completed=sent, total=total)

                    batches.append(client.submit(part, on_progress=on_progress, **options))
                    _accepted(batches[-1], as_json=as_json and not wait, quiet=as_json)
            if from_url:
                batches.append(client.submit(urls=from_url, **options))
                _accepted(batches[-1], as_json=as_json and not wait, quiet=as_json)
        except BaseException:
            for one in batches:
                remote.complain(f"{one.batch_id} was accepted before, with {one.progress.total} images.")
            raise
        if not wait:
            return
        code = 0
        names = remote.names()
        for one in batches:
            batch = remote.follow(client, one.batch_id, as_json=as_json)
            files = remote.fetch(client, batch, output, names, quiet=as_json) if output else []
            code = max(code, remote.worth(batch))
            if as_json:
                told = batch.model_dump(mode="json", by_alias=True)
                remote.out(told | ({"saved": [str(path) for path in files]} if output else {}))
            else:
                remote.summarise(batch)
    raise typer.Exit(code)


def _accepted(batch: Batch, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        remote.out(batch)
    elif not quiet:
        typer.echo(batch.batch_id)


def read_recipe(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        value = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise _wrong(f"{path}: {error}") from None
    if not isinstance(value, dict):
        raise _wrong(f"{path} holds no recipe: it is to be an object.")
    return value


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise _wrong(f"--metadata is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise _wrong("--metadata is to be a JSON object.")
    return value


def _wrong(sentence: str) -> typer.Exit:
    remote.complain(sentence)
    return typer.Exit(remote.REFUSED)
