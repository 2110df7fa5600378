"""Everything that finds faults without running the code; runs all of it, then tells what failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"

CHECKS: dict[str, list[str | Path]] = {
    "ruff": [BIN / "ruff", "check", "--quiet", "."],
    "format (mended by `make format`)": [BIN / "ruff", "format", "--check", "--quiet", "."],
    "tree": [sys.executable, ROOT / "scripts" / "tree.py"],
}


def main() -> None:
    failed = [name for name, command in CHECKS.items() if subprocess.run(command, cwd=ROOT, check=False).returncode]
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
