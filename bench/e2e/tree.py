"""What a tree of processes costs: CPU seconds so far, and the peak of its memory."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PARTS = {"pixelmill api": "API", "pixelmill worker": "worker", "sandbox.child": "decoders", "valkey": "queue"}


def family(root: int) -> list[int]:
    """``root`` and all that descend from it."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found = [root]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


def cpu_seconds(roots: list[int]) -> float:
    """User and system time of every process in the trees, and of those that ended and were waited for."""
    ticks = 0
    for pid in (pid for root in roots for pid in family(root)):
        with suppress(OSError):
            ticks += sum(
                int(field) for field in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
            )
    return ticks / _TICK


def cpu_by_part(roots: list[int]) -> dict[str, float]:
    """The same of Pixelmill's tree, by what each process is."""
    used: dict[str, float] = {}
    for pid in (pid for root in roots for pid in family(root)):
        with suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            part = next((part for mark, part in _PARTS.items() if mark in command), "supervisor")
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used[part] = used.get(part, 0.0) + (int(stat[11]) + int(stat[12])) / _TICK
    return used


def memory_bytes(roots: list[int]) -> int:
    """Proportional set size: a page that n processes share counts 1/n to each, so that the sum is what is used."""
    total = 0
    for pid in (pid for root in roots for pid in family(root)):
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


class Peak:
    """Looks at the trees' memory a few times a second for the length of the block; ``bytes`` is the highest seen."""

    def __init__(self, roots: list[int], seconds: float = 0.25) -> None:
        self.bytes = 0
        self._roots = roots
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            self.bytes = max(self.bytes, memory_bytes(self._roots))
            if self._over.wait(self._seconds):
                return
