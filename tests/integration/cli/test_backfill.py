"""`pixelmill backfill`, as a person types it, on each database."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from pixelmill.records import Database, batches, migrate
from tests.servers import SCRIPTS
from tests.sites import JPEG


async def test_every_option_is_obeyed(tmp_path: Path, database_url: str, valkey_url: str) -> None:
    bucket = tmp_path / "theirs"
    bucket.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (bucket / name).write_bytes(JPEG)
    (tmp_path / "small.json").write_text('{"variants": [{"name": "small", "steps": [{"op": "resize", "width": 9}]}]}')
    env = {
        **os.environ,
        "PIXELMILL_DATA_DIR": str(tmp_path / "data"),
        "PIXELMILL_DATABASE_URL": database_url,
        "PIXELMILL_REDIS_URL": valkey_url,
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [SCRIPTS / "pixelmill", "backfill", bucket.as_uri(), *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)

    async def found() -> list[tuple[str | None, int, int]]:
        return [(one.preset, one.priority, one.counts.total) for one in (await batches.page(db))[0]]

    db = Database(database_url)
    try:
        await migrate(db)
        done = run("--preset", "web", "--priority", "7", "--page", "2", "--depth", "50")
        assert done.returncode == 0, done.stderr
        assert "3 images were taken in." in done.stdout
        assert await found() == [("web", 7, 1), ("web", 7, 2)]

        done = run("--preset", "web", "--again")
        assert (done.returncode, (await found())[0]) == (0, ("web", 100, 3)), done.stderr
        done = run("--recipe", str(tmp_path / "small.json"))
        assert (done.returncode, (await found())[0]) == (0, (None, 100, 3)), done.stderr
    finally:
        await db.close()
