"""Whether this Python was built with optimisations: without them its own code takes half as long again.

Run as a program it exits with 0 if so, with 1 if not. Imports nothing of ours: ``scripts/python.sh`` asks any Python.
"""

from __future__ import annotations

import sys
import sysconfig

ADVICE = (
    "This Python was built without optimisations: API and workers are slower than they need be. Those of Debian, "
    "Ubuntu, Fedora, python.org, uv and Docker have them; pyenv builds one with "
    "PYTHON_CONFIGURE_OPTS='--enable-optimizations --with-lto'."
)


def optimised(configured: str | None, prefix: str) -> bool:
    """By the arguments of its ``configure`` (None: it has none, as on Windows) and where it is installed.

    A distribution's counts as optimised: nearly all optimise, and Debian keeps the arguments of another build of it.
    """
    return configured is None or "--enable-optimizations" in configured or prefix == "/usr"


def is_optimised() -> bool:
    return optimised(sysconfig.get_config_var("CONFIG_ARGS"), sys.base_prefix)


if __name__ == "__main__":
    sys.exit(not is_optimised())
