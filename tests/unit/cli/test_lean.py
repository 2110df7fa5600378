from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from pixelmill.cli import lean

lean.load()
import pixelmill.app
import pixelmill.cli.main
import pixelmill.api

print(*sorted({"rich", "pygments", "click", "alembic", "mako"} & {*sys.modules}))
import rich.console

assert "rich" in sys.modules
"""


def test_what_runs_long_does_not_carry_what_looks_well_in_a_terminal() -> None:
    """And whoever wants it afterwards has it."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
