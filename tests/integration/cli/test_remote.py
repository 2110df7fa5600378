"""The commands that talk to a service, as a person types them: real processes, a real service."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.servers import SCRIPTS, Service


class Shell:
    def __init__(self, service: Service, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "PIXELMILL_URL": service.base_url}

    def __call__(self, *words: str | Path, code: int = 0) -> str:
        """Standard output of a command that ends with ``code``."""
        done = subprocess.run(
            [SCRIPTS / "pixelmill", *words],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=servers.PATIENCE * 3,
            check=False,
        )
        self.said = done.stderr
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    def lines(self, *words: str | Path, code: int = 0) -> list[Any]:
        """What `--json` printed."""
        return [json.loads(line) for line in self(*words, "--json", code=code).splitlines()]


@pytest.fixture
def shell(service: Service, tmp_path: Path) -> Shell:
    return Shell(service, tmp_path)


@pytest.fixture
def broken(photo: Path, tmp_path: Path) -> Path:
    """A JPEG by its head, cut short after it."""
    path = tmp_path / "broken.jpg"
    path.write_bytes(photo.read_bytes()[:2000])
    return path


def test_submit_watch_and_get(shell: Shell, photo: Path, tmp_path: Path) -> None:
    batch_id = shell("submit", photo, "--preset", "thumbnail").strip()
    events = shell.lines("watch", batch_id)
    assert [one["id"] for one in events] == [*range(1, len(events) + 1)]
    assert (events[0]["event"], events[-1]["event"]) == ("batch.accepted", "batch.completed")
    shell("watch", batch_id)
    assert f"{batch_id} completed: 1 completed" in shell.said
    files = [Path(line) for line in shell("get", batch_id, "-o", "out").splitlines()]
    assert files
    assert sorted(files) == sorted(path.relative_to(tmp_path) for path in (tmp_path / "out").iterdir())
    shell("get", batch_id, "-o", "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(files) + 1
    assert batch_id in shell("batches")
    assert shell.lines("batches", "--limit", "1", "--status", "completed")[0]["batchId"] == batch_id
    (job,) = shell.lines("get", batch_id, "-o", "again")
    assert len(job["saved"]) == len(files)


def test_folders_and_zips_go_in_requests_that_the_service_takes(shell: Shell, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(8):
        (tmp_path / "photos" / f"{number}.jpg").write_bytes(photo.read_bytes())
    (tmp_path / "photos" / "notes.txt").write_text("not one of them")
    with zipfile.ZipFile(tmp_path / "more.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.write(photo, f"in/{number}.jpg")
    told = shell.lines("submit", "photos", "more.zip", "--output", "out", "--metadata", '{"of": "me"}')
    assert [one["progress"]["total"] for one in told] == [10, 2]
    assert {one["status"] for one in told} == {"completed"}
    assert told[0]["metadata"] == {"of": "me"}
    assert len(list((tmp_path / "out").iterdir())) == 12 == sum(len(one["saved"]) for one in told)


def test_what_fails_is_told_and_can_be_replayed_and_purged(shell: Shell, photo: Path, broken: Path) -> None:
    (batch,) = shell.lines("submit", photo, broken, "--watch", code=1)
    assert batch["status"] == "completed-with-errors"
    shell("watch", batch["batchId"], code=1)
    assert "broken.jpg: corrupt-image" in shell.said
    job_id = next(one["jobId"] for one in batch["files"] if one["state"] == "failed")
    assert "corrupt-image" in shell("job", job_id)
    assert shell.lines("job", job_id)[0]["state"] == "failed"
    assert job_id in shell("dead-letters", "list", "--batch", batch["batchId"])
    assert shell.lines("retry", job_id)[0]["jobId"] == job_id
    shell("watch", batch["batchId"], code=1)
    assert shell.lines("dead-letters", "replay", "--batch", batch["batchId"]) == [{"replayed": 1, "skipped": 0}]
    shell("watch", batch["batchId"], code=1)
    shell("dead-letters", "purge", "--batch", batch["batchId"], code=1)  # nobody there to say yes
    assert shell.lines("dead-letters", "purge", job_id, "--yes") == [{"purged": 1}]
    assert shell.lines("dead-letters", "list", "--batch", batch["batchId"]) == []
    assert shell.lines("cancel", batch["batchId"])[0]["progress"]["failed"] == 1


def test_exit_codes_tell_what_was_wrong(shell: Shell, photo: Path, tmp_path: Path) -> None:
    shell("submit", photo, "--preset", "nonsense", code=2)
    assert "nonsense" in shell.said
    shell("submit", "nothing.jpg", code=2)
    shell("submit", code=2)
    shell("submit", photo, "--metadata", "no json", code=2)
    shell("watch", "nobody", code=2)
    shell("dead-letters", "replay", code=2)
    shell("get", "nobody", "-o", "out", code=2)
    assert not (tmp_path / "out").exists()
    shell("batches", "--url", "http://127.0.0.1:1", code=3)
    assert "cannot be reached" in shell.said
