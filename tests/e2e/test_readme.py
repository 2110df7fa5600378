"""The README's commands, run as a reader would: a fresh clone, `make run`, then each block in turn.

The convention is in tests/documents.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.documents import ROOT, Block, blocks, prepare

BLOCKS = blocks((ROOT / "README.md").read_text())
MINUTES = 60.0
PATH = os.pathsep.join([".venv/bin", str(ROOT / ".tools" / "bin"), os.environ["PATH"]])


@pytest.fixture(scope="module")
def cloned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Service]:
    """The service as the README's start block makes it. The committed state is what is cloned."""
    (start,) = [block for block in BLOCKS if block.starts]
    folder = tmp_path_factory.mktemp("reader")
    # The tests' own environment must not be taken for the clone's
    env = {"VIRTUAL_ENV": None, "MAKEFLAGS": None, "MAKELEVEL": None}
    service = servers.start_service(
        folder / "data", folder / "log.txt", env, command=start.command(""), patience=10 * MINUTES
    )
    yield service
    service.stop(signal.SIGINT, group=True)


@pytest.mark.parametrize("block", [pytest.param(block, id=f"line-{block.line}") for block in BLOCKS if block.runs])
def test_block(block: Block, cloned: servers.Service, photos: list[Path]) -> None:
    clone = cloned.log.parent / "pixelmill"
    env = {**os.environ, **prepare(clone, photos), "PATH": PATH}
    command = block.command(cloned.base_url.removeprefix("http://"))
    done = subprocess.run(
        command, cwd=clone, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{block.code}\n{done.stdout}\n{done.stderr}\n{cloned.tail()}"


def test_every_block_left_out_says_why() -> None:
    assert [block for block in BLOCKS if block.note.startswith("not run") and block.runs] == []
