"""A wall clock for the processes under test that can be set: a file, and a library that adds what is in it.

Our own few lines of C instead of libfaketime, whose 0.9.10 breaks Python's sleeps (clock_nanosleep with an absolute
time) and slows its threads down a hundredfold; it needs a C compiler, and without one the clock is left alone.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path


class Clock:
    """``env`` makes a process follow it; empty where there is no compiler."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.env: dict[str, str] = {}
        if compiler := shutil.which("cc"):
            library = folder / "clock.so"
            source = Path(__file__).with_suffix(".c")
            subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
            self.set(0)
            self.env = {"LD_PRELOAD": str(library), "PIXELMILL_TEST_CLOCK": str(self._file)}

    def set(self, hours: float) -> None:
        """So many hours from the truth, from now on. Written in place: processes have the file mapped."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("q", int(hours * 3600)))
