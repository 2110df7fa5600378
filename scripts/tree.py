"""Look through the tracked files for what belongs to one machine only: its folders, its package index.

A lock file that names an index, or a path into somebody's home, works in one place and nowhere else.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# An absolute path into a home or a work folder. Paths that only look like one (a URL's `/home/`) have something before.
PRIVATE_PATH = re.compile(
    r"(?:(?<=file://)|(?<![\w.:/~$}\])*-]))/(?:home|Users|work|workspace|workspaces|root)/[\w.-]+"
)
# In a lock file or a package manager's settings: where a package is to be fetched from.
INDEX = re.compile(
    r'"resolved":\s*"https?:|--(?:extra-)?index-url|--find-links|--trusted-host|^\s*registry\s*=|^index-url|^url\s*=\s*"https?:',
    re.MULTILINE,
)
LOCKS = re.compile(r"(^|/)(requirements/.*\.txt|.*-lock\.(json|yaml)|.*\.lock|\.npmrc|pip\.conf|uv\.toml)$")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name]


def faults(name: str, text: str) -> list[str]:
    """What is wrong with this file, one line each, `name:line: …`."""
    rules = [(PRIVATE_PATH, "a folder of one machine")]
    if LOCKS.search(name):
        rules.append((INDEX, "where to fetch packages is for each machine to say"))
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {what}: {match.group().strip()}"
        for pattern, what in rules
        for match in pattern.finditer(text)
    ]


def main() -> None:
    found: list[str] = []
    for path in tracked():
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            found += faults(path.relative_to(ROOT).as_posix(), content.decode(errors="replace"))
    if found:
        print("\n".join(found))
        sys.exit(f"{len(found)} places name one machine")


if __name__ == "__main__":
    main()
