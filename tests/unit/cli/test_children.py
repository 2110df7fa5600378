from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pixelmill.cli.children import LEASH, Child, ending
from tests import servers

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]


async def until(true: Any) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_what_dies_is_started_again(number: signal.Signals) -> None:
    said: list[str] = []
    child = Child("sleeper", lambda: SLEEPER, say=said.append)
    await child.start()
    first = child.pid
    assert first
    os.kill(first, number)
    await until(lambda: said and child.pid not in (None, first))
    assert said == [f"The sleeper process ended (signal {number.name}); it is started again in 0.2 s."]
    await child.stop(20)
    assert child.pid is None
    assert len(said) == 1


async def test_what_keeps_dying_is_given_more_and_more_time() -> None:
    said: list[str] = []
    child = Child("failure", lambda: [sys.executable, "-c", "raise SystemExit(3)"], say=said.append)
    await child.start()
    await until(lambda: len(said) == 3)
    await child.stop(20)
    assert [line.rsplit(" in ")[1] for line in said] == ["0.2 s.", "0.4 s.", "0.8 s."]
    assert "exit status 3" in said[0]


async def test_what_does_not_hear_is_killed(capfd: pytest.CaptureFixture[str]) -> None:
    child = Child("deaf", lambda: DEAF, say=print)
    await child.start()
    await until(lambda: "up" in capfd.readouterr().out)
    pid = child.pid
    assert pid
    assert not await child.stop(0.2)
    assert not alive(pid)


async def test_it_has_a_process_group_of_its_own_in_our_session() -> None:
    child = Child("sleeper", lambda: SLEEPER, say=print)
    await child.start()
    pid = child.pid
    assert pid
    await until(lambda: os.getpgid(pid) == pid)
    # Another session would be another share of the CPU to some kernels, whatever the niceness within.
    assert os.getsid(pid) == os.getsid(0)
    assert await child.stop(20)


def test_what_is_on_the_leash_dies_with_its_parent() -> None:
    script = f"""
import subprocess, os, sys
leash = [sys.executable, "-I", "-S", {LEASH!r}, str(os.getpid())]
child = subprocess.Popen([*leash, *{SLEEPER!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    servers.wait_until(lambda: not alive(pid), "the end of the child")


def test_who_has_lost_its_parent_already_does_not_start() -> None:
    done = subprocess.run([sys.executable, "-I", "-S", LEASH, "1", "/bin/echo", "no"], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def test_an_ending_in_words() -> None:
    assert [ending(code) for code in (0, 3, -9, -250)] == [
        "exit status 0",
        "exit status 3",
        "signal SIGKILL",
        "signal 250",
    ]
