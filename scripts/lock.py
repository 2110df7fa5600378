"""Write requirements/*.txt from pyproject.toml, or tell (`--check`, offline) whether they are up to date.

Pins that still fit are kept; `--upgrade` takes the newest of everything. Each file carries a fingerprint of the part
of pyproject.toml it was made from: the check compares that, so it needs no index and cannot change its mind.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".venv" / "bin" / "uv"
FOLDER = ROOT / "requirements"
PIN = re.compile(r"^[\w.-]+==\S+(?: ; [^\\\n]+)?", re.MULTILINE)
GROUPS = ("runtime", "dev", "build", "node", "uv")


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def wishes(group: str) -> list[str]:
    """The requirements as pyproject.toml writes them."""
    return list(project()["project"]["dependencies"] if group == "runtime" else project()["dependency-groups"][group])


def fingerprint() -> str:
    """All files are one solution: a change of any wish makes all of them stale."""
    wanted = [project()["project"]["requires-python"], *(wishes(group) for group in GROUPS)]
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()


def header() -> str:
    return f"# Written by `make lock` from pyproject.toml; do not edit.\n# fingerprint: {fingerprint()}\n"


def compile_pins(source: list[str], target: Path, *options: str) -> None:
    command = [UV, "pip", "compile", "--quiet", *source, "--output-file", target, *options]
    command += ["--universal", "--python-version", "3.11", "--no-emit-index-url", "--no-emit-find-links"]
    subprocess.run([*command, "--no-annotate", "--no-header"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def lock(*options: str) -> None:
    """Solve everything as one, so that no two files can disagree; then write each file from that solution."""
    everything = FOLDER / "everything.txt"
    groups = [word for group in GROUPS if group != "runtime" for word in ("--group", group)]
    try:
        # uv keeps the pins that it finds in its output file
        found = [match for file in FOLDER.glob("*.txt") for match in PIN.findall(file.read_text())]
        everything.write_text("\n".join(dict.fromkeys(found)))
        compile_pins(["pyproject.toml", *groups], everything, *options)
        for group in GROUPS:
            target = FOLDER / f"{group}.txt"
            source = ["pyproject.toml"] if group == "runtime" else ["--group", group]
            target.unlink(missing_ok=True)
            compile_pins(source, target, "--constraints", str(everything), "--generate-hashes")
            target.write_text(header() + target.read_text())
    finally:
        everything.unlink(missing_ok=True)


def main(options: list[str]) -> None:
    if "--check" in options:
        files = [FOLDER / f"{group}.txt" for group in GROUPS]
        stale = [f.name for f in files if not f.exists() or not f.read_text().startswith(header())]
        if stale:
            sys.exit(
                f"pyproject.toml has changed since requirements/ was written ({', '.join(stale)}): run `make lock`"
            )
        return
    lock(*options)


if __name__ == "__main__":
    main(sys.argv[1:])
