"""`pixelmill migrate`: the database's tables."""

from __future__ import annotations

from pixelmill.cli.common import load_settings, migrate_database, run


def migrate() -> None:
    """Bring the database up to this version's tables. `serve` does it by itself."""
    from pixelmill import logs

    settings = load_settings()
    logs.configure(settings.log_level)
    run(migrate_database(settings), "migrate")
