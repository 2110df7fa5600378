"""Write requirements/*.txt from pyproject.toml, or tell (`--check`, offline) whether they are up to date.

Pins that still fit are kept; `--upgrade` takes the newest of everything. Each file carries a fingerprint of the part
of pyproject.toml it was made from: the check compares that, so it needs no index and cannot change its mind.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".venv" / "bin" / "uv"
FOLDER = ROOT / "requirements"
GROUPS = ("runtime", "dev", "build", "node", "uv")


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def wishes(group: str) -> list[str]:
    """The requirements as pyproject.toml writes them."""
    return list(project()["project"]["dependencies"] if group == "runtime" else project()["dependency-groups"][group])


def fingerprint(group: str) -> str:
    wanted = [project()["project"]["requires-python"], wishes("runtime")]
    if group != "runtime":  # the others are constrained by runtime's pins, so its wishes count too
        wanted.append(wishes(group))
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()


def header(group: str) -> str:
    return f"# Written by `make lock` from pyproject.toml; do not edit.\n# fingerprint: {fingerprint(group)}\n"


def lock(group: str, *options: str) -> None:
    target = FOLDER / f"{group}.txt"
    source = ["pyproject.toml"] if group == "runtime" else ["--group", group, "-c", str(FOLDER / "runtime.txt")]
    command = [
        *(UV, "pip", "compile", "--quiet", *source, "--output-file", target, *options),
        *("--universal", "--python-version", "3.11", "--generate-hashes"),
        *("--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--no-header"),
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    target.write_text(header(group) + target.read_text())


def main(options: list[str]) -> None:
    if "--check" in options:
        files = [FOLDER / f"{group}.txt" for group in GROUPS]
        stale = [f.name for f in files if not f.exists() or not f.read_text().startswith(header(f.stem))]
        if stale:
            sys.exit(
                f"pyproject.toml has changed since requirements/ was written ({', '.join(stale)}): run `make lock`"
            )
        return
    FOLDER.mkdir(exist_ok=True)
    for group in GROUPS:
        lock(group, *options)


if __name__ == "__main__":
    main(sys.argv[1:])
