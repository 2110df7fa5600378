from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pixelmill.errors import PixelmillError
from pixelmill.queue import embedded


def test_the_socket_is_in_the_data_folder(tmp_path: Path) -> None:
    data_dir = Path("/srv/pictures")
    assert embedded.url(data_dir) == "unix:///srv/pictures/queue/valkey.sock"
    assert not embedded.is_elsewhere(data_dir)


def test_a_url_can_hold_any_folder() -> None:
    assert embedded.url(Path("/srv/my photos #1")) == "unix:///srv/my%20photos%20%231/queue/valkey.sock"


def test_a_long_path_has_a_short_socket_of_its_own(tmp_path: Path) -> None:
    one, two = (tmp_path / ("x" * 120) / name for name in ("one", "two"))
    sockets = {embedded.socket_path(one), embedded.socket_path(two)}
    assert len(sockets) == 2
    assert all(len(os.fsencode(path)) < 104 for path in sockets)
    assert embedded.is_elsewhere(one)
    embedded.prepare(one, embedded.program())
    assert embedded.socket_path(one).parent.stat().st_mode & 0o777 == 0o700
    embedded.socket_path(one).parent.rmdir()


def test_a_folder_open_to_others_is_refused(tmp_path: Path) -> None:
    data_dir = tmp_path / ("x" * 120)
    folder = embedded.socket_path(data_dir).parent
    folder.mkdir()
    folder.chmod(0o777)
    try:
        with pytest.raises(PixelmillError, match="not a private folder"):
            embedded.prepare(data_dir, embedded.program())
    finally:
        folder.rmdir()


def test_the_supervisor_carries_no_client_library() -> None:
    heavy = {"redis", "bullmq", "valkey", "sqlalchemy", "fastapi", "structlog", "pydantic", "typer"}
    script = f"import sys, pixelmill.cli.supervisor; print(*sorted({heavy} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
