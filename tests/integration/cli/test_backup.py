"""`pixelmill backup` while the service works, and `pixelmill restore` into a fresh folder."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pyvips

from pixelmill.errors import PixelmillError
from pixelmill.pipeline import backup
from pixelmill.records import backup as records
from pixelmill.settings import Settings
from tests.servers import SCRIPTS, Service, wait_until

RECIPE = '{"variants": [{"name": "a", "steps": [{"op": "resize", "width": 64}], "output": {"format": "jpeg"}}]}'


def run(command: str, folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PIXELMILL_DATA_DIR": str(folder)}
    command_line = [SCRIPTS / "pixelmill", command, *words]
    return subprocess.run(command_line, env=env, capture_output=True, text=True, timeout=300, cwd=folder.parent)


def picture() -> bytes:
    made: bytes = pyvips.Image.gaussnoise(320, 240).bandjoin([20, 90]).cast("uchar").jpegsave_buffer()
    return made


def over(client: httpx.Client, batch_id: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def look() -> bool:
        found.update(client.get(f"/batches/{batch_id}").raise_for_status().json())
        return found["status"] in ("completed", "completed-with-errors")

    wait_until(look, f"batch {batch_id}", 120)
    return found


def test_what_was_accepted_before_a_backup_under_load_is_all_there_after_a_restore(
    start_service: Callable[..., Service], tmp_path: Path
) -> None:
    photo = picture()
    service = start_service({"PIXELMILL_WORKERS": "1"}, data_dir=tmp_path / "data")
    accepted: list[str] = []
    purged: list[str] = []
    stop = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=service.base_url, timeout=60) as client:
            while not stop.is_set():
                files = [("images", (f"{number}.jpg", photo)) for number in range(3)]
                answer = client.post("/process-images", files=files, data={"recipe": RECIPE})
                accepted.append(answer.raise_for_status().json()["batchId"])
                if len(accepted) % 5 == 0:  # what goes meanwhile is no loss
                    purged.append(accepted[-1])
                    client.delete(f"/batches/{accepted[-1]}", params={"purge": "true"}).raise_for_status()

    sender = threading.Thread(target=load)
    sender.start()
    try:
        wait_until(lambda: len(accepted) >= 8, "some load", 120)
        before = accepted[:8]
        made = run("backup", tmp_path / "data", tmp_path / "copy")
        during = len(accepted)
    finally:
        stop.set()
        sender.join()
    assert made.returncode == 0, made.stderr
    assert "guard it" in made.stdout
    assert during >= len(before)
    with httpx.Client(base_url=service.base_url, timeout=60) as client:
        client.get("/livez").raise_for_status()
    service.stop()

    assert sorted(path.name for path in (tmp_path / "copy").iterdir() if path.name != "files") == [
        "SHA256SUMS",
        "backup.json",
        "id",
        "pixelmill.db",
        "secret",
    ]
    sums = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "copy", check=True)
    assert sums.returncode == 0
    restored = run("restore", tmp_path / "fresh", tmp_path / "copy")
    assert restored.returncode == 0, restored.stderr
    assert (tmp_path / "fresh" / "secret").read_text() == (tmp_path / "data" / "secret").read_text()
    again = start_service({"PIXELMILL_WORKERS": "1"}, data_dir=tmp_path / "fresh")
    with httpx.Client(base_url=again.base_url, timeout=60) as client:
        for batch_id in before:
            if batch_id in purged:
                assert client.get(f"/batches/{batch_id}").status_code in (200, 404)
                continue
            batch = over(client, batch_id)  # what was not done yet is done now
            assert batch["progress"]["completed"] == 3, batch
            for file in batch["files"]:
                for variant in file["variants"]:
                    result = client.get(variant["url"]).raise_for_status()
                    assert len(result.content) == variant["bytes"]
    again.stop()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An installation with a database and two files, one of which the record refers to."""
    folder = tmp_path / "data"
    assert run("migrate", folder).returncode == 0
    with sqlite3.connect(folder / "pixelmill.db") as database:
        database.execute(
            'INSERT INTO uploads (id, owner, kind, position, state, original_name, key, "offset", metadata, created_at,'
            " expires_at) VALUES ('u', '', 'tus', 0, 'finished', 'a.jpg', 'uploads/u/whole-t', 5, '{}', 0, 0)"
        )
    for name in ("uploads/u/whole-t", "processed/b/i/t-a.jpg", "processed/b/i/.t-b.jpg.1234.part"):
        (folder / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "files" / name).write_bytes(b"bytes")
    return folder


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(_env_file=None, data_dir=folder, **more)  # type: ignore[call-arg]


def test_what_came_while_the_files_were_copied_is_copied_too(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot, times = records.snapshot, 0

    def late(source: Path, target: Path) -> None:
        nonlocal times
        times += 1
        if times == 1:
            (data / "files/uploads/u/whole-t").rename(data / "files/uploads/u/whole-t-2")
            with sqlite3.connect(source) as live:
                live.execute("UPDATE uploads SET key = 'uploads/u/whole-t-2'")
        snapshot(source, target)
        if times == 1:  # and goes at once, with what it stood for
            (data / "files/uploads/u/whole-t-2").rename(data / "files/uploads/u/whole-t-3")
            with sqlite3.connect(source) as live:
                live.execute("UPDATE uploads SET key = 'uploads/u/whole-t-3'")

    monkeypatch.setattr(records, "snapshot", late)
    backup.make(settings(data), tmp_path / "copy")
    assert times == 2
    assert (tmp_path / "copy/files/uploads/u/whole-t-3").read_bytes() == b"bytes"
    assert not list((tmp_path / "copy").rglob("*.part"))


def test_a_lost_file_is_said_and_leaves_no_backup(data: Path, tmp_path: Path) -> None:
    (data / "files/uploads/u/whole-t").unlink()
    with pytest.raises(PixelmillError, match="Files are missing"):
        backup.make(settings(data), tmp_path / "copy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_a_damaged_or_unfinished_backup_becomes_no_installation(data: Path, tmp_path: Path) -> None:
    backup.make(settings(data), tmp_path / "copy")
    shutil.copytree(tmp_path / "copy", tmp_path / "cut")
    (tmp_path / "cut/backup.json").unlink()
    with pytest.raises(PixelmillError, match="is no backup"):
        backup.restore(settings(tmp_path / "fresh"), tmp_path / "cut")
    (tmp_path / "copy/files/processed/b/i/t-a.jpg").write_bytes(b"other")
    with pytest.raises(PixelmillError, match=r"damaged: files/processed/b/i/t-a\.jpg"):
        backup.restore(settings(tmp_path / "fresh"), tmp_path / "copy")
    assert not (tmp_path / "fresh/pixelmill.db").exists()
    sums = (tmp_path / "copy/SHA256SUMS").read_text()
    (tmp_path / "copy/SHA256SUMS").write_text(sums.replace("files/processed", "files/../../processed"))
    with pytest.raises(PixelmillError, match="could not be restored"):
        backup.restore(settings(tmp_path / "other"), tmp_path / "copy")


def test_nothing_is_written_over(data: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with pytest.raises(PixelmillError, match="is there already"):
        backup.make(settings(data), tmp_path / "copy")
    backup.make(settings(data), tmp_path / "new")
    with pytest.raises(PixelmillError, match="not empty"):
        backup.restore(settings(data), tmp_path / "new")


def test_where_it_cannot_be_used_it_says_what_can(data: Path, tmp_path: Path) -> None:
    with pytest.raises(PixelmillError, match="pg_dump"):
        backup.make(settings(data, database_url="postgresql://u:p@host/name"), tmp_path / "copy")
    with pytest.raises(PixelmillError, match="PIXELMILL_DATA_DIR"):
        backup.make(settings(tmp_path / "none"), tmp_path / "copy")
    with pytest.raises(PixelmillError, match="lies within"):
        backup.make(settings(data), data / "files" / "copy")
