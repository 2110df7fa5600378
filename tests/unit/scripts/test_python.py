"""`scripts/python.sh` takes the Python that serves best. Those here only answer what it asks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
#: What it answers when it is asked for its version, for what it makes environments with, and for its optimisations.
ANSWERS = """
case "$*" in
    *version_info*) exit {new} ;;
    *ensurepip*) exit {able} ;;
    "-I "*) [ -f "$2" ] || exit 2; exit {fast} ;;
esac
exit 2
"""
FAST, SLOW, OLD, UNABLE = (
    ANSWERS.format(new=new, able=able, fast=fast) for new, able, fast in ((0, 0, 0), (0, 0, 1), (1, 0, 0), (0, 1, 0))
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH with one program on it; the script lies beside, and asks no Python that is not on this PATH."""
    script = (ROOT / "scripts" / "python.sh").read_text()
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "python.sh").write_text(script.replace(" /usr/bin/python3", ""))
    (tmp_path / "src").symlink_to(ROOT / "src")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "dirname").symlink_to("/usr/bin/dirname")
    return programs


def put(folder: Path, **programs: str) -> None:
    for name, does in programs.items():
        program = folder / name.replace("_", ".")
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)


def taken(folder: Path, wish: str = "", code: int = 0) -> tuple[str, str]:
    """The Python that was taken, and what was said about it."""
    command = ["/bin/sh", folder.parent / "scripts" / "python.sh"]
    environment = {"PATH": str(folder), "PYTHON": wish}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout.strip(), done.stderr


def test_python3_where_it_is_as_it_should_be(path: Path) -> None:
    put(path, python3=FAST, python3_12=FAST)
    assert taken(path) == ("python3", "")


def test_one_with_optimisations_before_one_without(path: Path) -> None:
    put(path, python3=SLOW, python3_13=OLD, python3_12=FAST)
    name, said = taken(path)
    assert name == "python3.12"
    assert "python3 was built without optimisations" in said


def test_one_that_makes_environments_before_one_that_does_not(path: Path) -> None:
    put(path, python3=UNABLE, python3_12=FAST)
    assert taken(path) == ("python3.12", "")


def test_what_is_wished_for_whatever_it_is(path: Path) -> None:
    put(path, python3=FAST, python3_12=SLOW, python3_11=UNABLE)
    assert taken(path, "python3.12") == ("python3.12", "")
    assert taken(path, "python3.11") == ("python3.11", "")


def test_no_wish_for_one_that_is_too_old(path: Path) -> None:
    put(path, python3=FAST, python3_11=OLD)
    assert taken(path, "python3.11") == ("python3", "")


def test_where_there_is_none_as_it_should_be(path: Path) -> None:
    assert "needs Python 3.11 or newer" in taken(path, code=1)[1]
    put(path, python3=UNABLE)
    assert taken(path) == ("python3", "")
    put(path, python3_12=SLOW)
    name, said = taken(path)
    assert name == "python3.12"
    assert "one with them makes the service faster" in said
