"""`pixelmill migrate`: the database's tables."""

from __future__ import annotations

import asyncio

from pixelmill.cli.common import load_settings


def migrate() -> None:
    """Bring the database up to this version's tables. `serve` does it by itself."""
    from pixelmill import app, logs

    settings = load_settings()
    logs.configure(settings.log_level)
    asyncio.run(app.migrate(settings))
