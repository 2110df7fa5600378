"""Make `.venv` and install pinned, hash-checked requirements and this package into it.

    python3 scripts/environment.py runtime build dev

installs requirements/runtime.txt, requirements/build.txt and requirements/dev.txt. uv does it (it comes from the same
index as everything else); pip does it where only pip has been told which index to use, or where uv fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
OPTIMISED = ROOT / "src" / "pixelmill" / "cli" / "interpreter.py"


def run(*command: str | Path, check: bool = True) -> bool:
    code = subprocess.run([str(word) for word in command], cwd=ROOT, check=False, stdin=subprocess.DEVNULL).returncode
    if check and code:
        sys.exit(f"This failed with exit code {code}: {' '.join(map(str, command))}")
    return code == 0


def usable() -> bool:
    """Whether .venv has a Python that starts, is new enough, and has a pip."""
    test = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return PYTHON.exists() and subprocess.run([PYTHON, "-c", test], capture_output=True, check=False).returncode == 0


def slower() -> bool:
    """Whether .venv has a Python without optimisations, while this one has them."""
    theirs, ours = (
        subprocess.run([python, "-I", OPTIMISED], check=False).returncode for python in (PYTHON, sys.executable)
    )
    return bool(theirs and not ours)


def create() -> None:
    print("Making .venv", flush=True)
    try:
        import ensurepip  # noqa: F401  Debian keeps it in a package of its own

        venv.create(VENV, clear=True, symlinks=True, with_pip=True)
        return
    except ImportError:
        venv.create(VENV, clear=True, symlinks=True)
    if not run(sys.executable, "-m", "pip", "--python", PYTHON, "install", "--quiet", "pip", check=False):
        sys.exit("This Python can make no environment with pip. On Debian and Ubuntu: apt-get install python3-venv")


def only_pip_knows_the_index() -> bool:
    """uv does not read pip's settings: where an index is set for pip alone, uv would ask the wrong one."""
    if any(os.environ.get(name) for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE")):
        return False
    listed = subprocess.run([PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    return bool(re.search(r"\.(index-url|no-index)=", listed))


def install(*arguments: str | Path) -> None:
    if UV.exists() and not only_pip_knows_the_index():
        if not os.access(Path.home(), os.W_OK):
            os.environ.setdefault("UV_NO_CACHE", "1")
        # Compiled now, on all cores, rather than by each process of the first start (and of every start where Python
        # is told to write no bytecode): importing the API takes 1.9 s of CPU instead of 4.7.
        if run(UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", PYTHON, *arguments, check=False):
            return
        print("uv failed; the same with pip:", file=sys.stderr, flush=True)
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)


def main(names: list[str]) -> None:
    if not usable() or slower():
        create()
    if not UV.exists():
        lock = ROOT / "requirements" / "uv.txt"
        run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", lock)
    print(f"Installing requirements: {', '.join(names)}", flush=True)
    files = [ROOT / "requirements" / f"{name}.txt" for name in names]
    install("--require-hashes", *(word for file in files for word in ("-r", file)))
    if "build" in names:
        install("--no-deps", "--no-build-isolation", "-e", ROOT)


if __name__ == "__main__":
    main(sys.argv[1:])
