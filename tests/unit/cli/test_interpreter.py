"""Whether a Python was built with optimisations, by what real ones say of themselves."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pixelmill.cli import interpreter

PYENV = "'--prefix=/opt/versions/3.11.7' '--enable-shared' 'LIBS=-L/opt/versions/3.11.7/lib'"
DOCKER = "'--build=x86_64-linux-gnu' '--enable-loadable-sqlite-extensions' '--enable-optimizations' '--with-lto'"
DEBIAN = "'--enable-shared' '--prefix=/usr' '--enable-ipv6' '--without-ensurepip' '--with-system-expat'"


@pytest.mark.parametrize(
    ("configured", "prefix", "answer"),
    [
        (PYENV, "/opt/versions/3.11.7", False),
        (DOCKER, "/usr/local", True),
        (DEBIAN, "/usr", True),
        (None, "C:\\Python313", True),
    ],
    ids=["pyenv", "docker", "debian", "windows"],
)
def test_it_is_told(configured: str | None, prefix: str, answer: bool) -> None:
    assert interpreter.optimised(configured, prefix) is answer


def test_as_a_program_it_tells_the_same_of_the_python_that_runs_it() -> None:
    code = subprocess.run([sys.executable, "-I", interpreter.__file__], check=False).returncode
    assert (code == 0) is interpreter.is_optimised()
