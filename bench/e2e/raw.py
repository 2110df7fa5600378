"""What every bench says of the machine, and where its raw lines go."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pixelmill.cli import interpreter

ROOT = Path(__file__).resolve().parents[2]


def said(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def about() -> dict[str, Any]:
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return {
        "commit": said("git", "rev-parse", "--short", "HEAD"),
        "cpu": model.partition(":")[2].strip(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "optimised": interpreter.is_optimised(),
        "load": os.getloadavg()[0],
    }


def keep(bench: str, lines: Iterable[dict[str, Any]]) -> None:
    target = ROOT / "bench" / "results" / f"{bench}-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    target.parent.mkdir(exist_ok=True)
    target.write_text("".join(json.dumps(line) + "\n" for line in lines))
    print(f"\nraw lines: {target.relative_to(ROOT)}")
