"""`pixelmill keys`, as a person types it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pixelmill import app
from pixelmill.cli import common
from pixelmill.errors import PixelmillError
from pixelmill.settings import Settings
from tests.servers import SCRIPTS


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PIXELMILL_DATA_DIR": str(folder)}
    return subprocess.run([SCRIPTS / "pixelmill", "keys", *words], env=env, capture_output=True, text=True, timeout=60)


def test_make_list_revoke(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path, host="0.0.0.0")  # type: ignore[call-arg]
    with pytest.raises(PixelmillError, match="pixelmill keys make"):
        common.check_exposure(settings)

    made = run(tmp_path, "make", "shop", "--owner", "acme", "--scope", "read", "--bytes-per-day", "7", "--days", "1")
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    prefix, _, random = secret.rpartition("_")
    # From now on others may reach it.
    common.check_exposure(settings)

    listed = run(tmp_path, "list")
    row = next(line.split() for line in listed.stdout.splitlines() if prefix in line)
    assert {"shop", "acme", "read", "never", "usable"} <= set(row)
    assert random not in listed.stdout
    key_id = row[0]
    assert prefix not in run(tmp_path, "list", "--owner", "bolt").stdout

    revoked = run(tmp_path, "revoke", key_id)
    assert revoked.returncode == 0, revoked.stderr
    assert "revoked" in run(tmp_path, "list").stdout
    unknown = run(tmp_path, "revoke", "nope")
    assert unknown.returncode == 1
    assert "There is no key 'nope'" in unknown.stderr


@pytest.mark.parametrize("words", [("make", "x", "--owner", "a b"), ("make", "x", "--scope", "root"), ("make",)])
def test_what_is_wrong_is_said_in_a_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(tmp_path, *words)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


async def test_no_database_is_no_key(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path / "none")  # type: ignore[call-arg]
    assert not await app.has_key(settings)
    assert not (tmp_path / "none").exists()
