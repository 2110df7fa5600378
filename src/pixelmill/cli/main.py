"""The command line: one file a command, and in each a function of the same name.

A command's module is imported when it is called for, so that `serve` does not carry what `process` needs.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from pixelmill import __version__
from pixelmill.errors import PixelmillError

COMMANDS = (
    *("serve", "process", "submit", "watch", "get", "batches", "job", "retry", "cancel", "dead-letters"),
    *("backfill", "doctor", "api", "worker", "migrate", "keys", "backup", "restore"),
)


def _module(command: str) -> str:
    return f"pixelmill.cli.{command.replace('-', '_')}"


class _Commands(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name in COMMANDS if importlib.util.find_spec(_module(name))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.list_commands(ctx):
            return None
        found = getattr(importlib.import_module(_module(cmd_name)), cmd_name.replace("-", "_"))
        if isinstance(found, typer.Typer):
            return typer.main.get_command(found)
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(cmd_name)(found)
        return typer.main.get_command(alone)


app = typer.Typer(
    name="pixelmill",
    cls=_Commands,
    help="Images in, every variant out, nothing lost.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pixelmill {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def main() -> None:
    """The entry point: what a person can mend is said in one sentence, without a traceback."""
    try:
        app()
    except PixelmillError as error:
        typer.echo(f"pixelmill: {error.detail}", err=True)
        sys.exit(1)
