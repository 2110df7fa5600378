"""`scripts/python.sh` takes the Python that serves best. Those here only answer what it asks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WILL = 'if [ "$1" = -c ]; then exit 0; fi; exit {}'
FAST, SLOW, OLD = WILL.format(0), WILL.format(1), "exit 1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH with one program on it."""
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    return tmp_path


def put(folder: Path, **programs: str) -> None:
    for name, does in programs.items():
        program = folder / name.replace("_", ".")
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)


def taken(folder: Path, wish: str = "") -> tuple[str, str]:
    """The Python that was taken, and what was said about it."""
    command = ["/bin/sh", ROOT / "scripts" / "python.sh"]
    environment = {"PATH": str(folder), "PYTHON": wish}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip(), done.stderr


def test_python3_where_it_is_as_it_should_be(path: Path) -> None:
    put(path, python3=FAST, python3_12=FAST)
    assert taken(path) == ("python3", "")


def test_one_with_optimisations_before_one_without(path: Path) -> None:
    put(path, python3=SLOW, python3_13=OLD, python3_12=FAST)
    name, said = taken(path)
    assert name == "python3.12"
    assert "python3 was built without optimisations" in said


def test_what_is_wished_for_whatever_it_is(path: Path) -> None:
    put(path, python3=FAST, python3_12=SLOW)
    assert taken(path, "python3.12") == ("python3.12", "")


def test_no_wish_for_one_that_is_too_old(path: Path) -> None:
    put(path, python3=FAST, python3_11=OLD)
    assert taken(path, "python3.11") == ("python3", "")
