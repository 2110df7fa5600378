"""The parts that a chapter needs, real: each database in turn, a folder, Valkey."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pixelmill.pipeline import Intake, Presence
from pixelmill.queue import Queue
from pixelmill.records import Database, migrate
from pixelmill.settings import Settings
from pixelmill.storage import LocalStorage


@dataclass
class Parts:
    settings: Settings
    database: Database
    storage: LocalStorage
    queue: Queue
    presence: Presence
    folder: Path

    @functools.cached_property
    def intake(self) -> Intake:
        return Intake(self.database, self.storage, self.queue, self.settings, presence=self.presence)

    def files(self) -> list[str]:
        """Everything on the disk, hidden and half-written files included."""
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
async def parts(tmp_path: Path, valkey_url: str, database_url: str) -> AsyncIterator[Parts]:
    settings = Settings(_env_file=None, data_dir=tmp_path, max_file_bytes=3_000_000, retry_seconds=0.05)
    database = Database(database_url)
    await migrate(database)
    storage = LocalStorage(tmp_path / "files")
    queue = Queue(valkey_url)
    presence = Presence(database, settings, "worker")
    await presence.enter()
    parts = Parts(settings, database, storage, queue, presence, tmp_path / "files")
    yield parts
    await parts.intake.close()
    await queue.close()
    await database.close()
