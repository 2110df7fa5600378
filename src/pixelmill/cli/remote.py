"""What the commands that talk to a service share: where it is, how errors are told, exit codes, progress bars.

Exit codes: 0 done; 1 done, and something failed (an image, a file); 2 refused or asked for wrongly; 3 the service
cannot be reached.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.progress import Progress

    from pixelmill.client import Batch, Client, Event
    from pixelmill.client.downloading import Names

FAILED, REFUSED, UNREACHED = 1, 2, 3

Url = Annotated[str, typer.Option("--url", envvar="PIXELMILL_URL", help="Where the service is.")]
Key = Annotated[
    str | None,
    typer.Option("--key", envvar="PIXELMILL_API_KEY", help="An API key, once the service has any.", show_envvar=True),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON on standard output, one value a line.")]
DEFAULT_URL = "http://127.0.0.1:3000"


@contextmanager
def service(url: str, key: str | None) -> Iterator[Client]:
    """A client; what goes wrong with it ends the command with one sentence and an exit code."""
    from pixelmill.client import Client, ClientError, ConnectionLost, ProblemError

    try:
        with Client(url, key) as client:
            yield client
    except ProblemError as problem:
        complain(problem.detail)
        for file in problem.extra.get("files", []):
            complain(f"  {file.get('originalName', '?')}: {file.get('detail', file.get('code', ''))}")
        raise typer.Exit(REFUSED) from None
    except ConnectionLost as error:
        complain(f"The service at {url} cannot be reached: {error}. Start one with `pixelmill serve`, or give --url.")
        raise typer.Exit(UNREACHED) from None
    except (ClientError, OSError) as error:
        complain(str(error))
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def complain(sentence: str) -> None:
    typer.echo(f"pixelmill: {sentence}", err=True)


def out(value: BaseModel | dict[str, Any]) -> None:
    """One JSON value on a line of its own, in the names of the wire."""
    told = value if isinstance(value, dict) else value.model_dump(mode="json", by_alias=True)
    sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def bars(*, quiet: bool = False, bytes_: bool = False) -> Progress:
    """Bars on standard error; none where that is no terminal, so that a log has no pieces of them."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True)
    amount = [DownloadColumn(), TransferSpeedColumn()] if bytes_ else [MofNCompleteColumn()]
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *amount,
        TimeElapsedColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
    )


def follow(client: Client, batch_id: str, *, as_json: bool = False, tell: bool = False) -> Batch:
    """Wait for the end of a batch with a bar of its images. ``tell``: each event is told, by a line or as JSON."""
    with bars(quiet=as_json) as progress:
        before = client.batch(batch_id).progress
        task = progress.add_task("images", total=before.total, completed=0)
        over: set[str] = set()

        def on_event(event: Event) -> None:
            if as_json and tell:
                out(event)
            elif tell:
                progress.console.print(_line(event), markup=False, highlight=False, soft_wrap=True)
            if event.job_id and event.event in ("image.completed", "image.failed", "image.canceled"):
                over.add(event.job_id)
            elif event.job_id and event.event == "image.replayed":
                over.discard(event.job_id)
            progress.update(task, completed=len(over))

        batch = client.wait(batch_id, on_event)
        progress.update(task, completed=batch.progress.total - batch.progress.waiting - batch.progress.active)
    return batch


def _line(event: Event) -> str:
    what = " ".join(filter(None, (event.event, event.job_id, event.variant)))
    why = event.data.get("reason") or event.data.get("status") or ""
    return f"{event.at:%H:%M:%S} {what}{f': {why}' if why else ''}"


def summarise(batch: Batch) -> None:
    """What became of a batch, on standard error; each failed image with its reason."""
    of = batch.progress
    counts = {
        "completed": of.completed,
        "failed": of.failed,
        "canceled": of.canceled,
        "waiting": of.waiting + of.active,
    }
    shown = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    typer.echo(f"{batch.batch_id} {batch.status}: {shown or 'no images'}", err=True)
    for image in batch.failed:
        typer.echo(f"  {image.original_name}: {image.error_code}: {image.failed_reason}", err=True)
    for image in batch.files:
        for variant in image.variants:
            if image.state == "completed" and variant.error is not None:
                typer.echo(f"  {image.original_name}, {variant.name}: {variant.error.detail}", err=True)


def worth(batch: Batch) -> int:
    """The exit code that a batch which is over deserves."""
    return 0 if batch.status == "completed" else FAILED


def names() -> Names:
    """File names of one download: several batches may go to one folder."""
    from pixelmill.client.downloading import Names

    return Names()


def fetch(client: Client, batch: Batch, folder: Path, names: Names, *, quiet: bool = False) -> list[Path]:
    """Every result of a batch into ``folder``, with a bar."""
    total = sum(1 for file in batch.files for variant in file.variants if variant.url)
    with bars(quiet=quiet) as progress:
        task = progress.add_task("download", total=total)
        return client.download(batch, folder, lambda made: progress.advance(task), names=names)


def table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*heads, box=None)
    for row in rows:
        shown.add_row(*map(Text, row))
    console = Console()
    # Not a terminal: whole lines, for other programs.
    Console(width=max(console.width, 400) if not console.is_terminal else None).print(shown)
