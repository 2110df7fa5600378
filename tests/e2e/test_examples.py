"""The examples, run as their READMEs say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import PATIENCE, ROOT, Service, find_program

EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize(
    ("program", "example"),
    [
        (sys.executable, "python_client/thumbnails.py"),
        ("sh", "curl/thumbnails.sh"),
        ("node", "curl/thumbnails.mjs"),
    ],
)
def test_an_example_leaves_thumbnails(
    program: str, example: str, service: Service, photo: Path, tmp_path: Path
) -> None:
    shutil.copy(photo, tmp_path / "photo.jpg")
    command = [find_program(program), str(EXAMPLES / example), "photo.jpg"]
    env = {**os.environ, "PIXELMILL_URL": service.base_url}
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=PATIENCE * 3, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "photo.jpg"]
    assert sorted(path.read_bytes()[:2] for path in made) == [b"RI", b"\xff\xd8"]  # WebP and JPEG


def test_each_example_says_how_it_is_run() -> None:
    for folder in (EXAMPLES / "python_client", EXAMPLES / "curl"):
        told = (folder / "README.md").read_text()
        assert [path.name for path in folder.iterdir() if path.name != "README.md" and path.name not in told] == []
