"""The command line: one file a command."""

from __future__ import annotations

import typer

from pixelmill.cli.doctor import doctor
from pixelmill.cli.process import process

app = typer.Typer(name="pixelmill", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(process)
app.command()(doctor)


def main() -> None:
    """The program ``pixelmill``."""
    app()
