"""Published damaged pictures through the sandbox: ``python -m tests.fuzz.corpora NAME=DIRECTORY...``.

Each directory is a clone of a public repository (or its bare copy), whose commit is written down with the sums, in
``tests/fuzz/results/corpora.json``. Every file of the newest commit that is a picture by its bytes or its name is sent,
each once: the files stay where they are.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from pixelmill.imaging import sniff
from tests.fuzz.run import circumstances, run, sums, write

#: Larger files are pictures for print or video: a few in all, and none of them damaged.
MOST_BYTES = 3_000_000
NAMES = {
    *(".jpg", ".jpeg", ".jfif", ".png", ".apng", ".webp", ".gif", ".avif", ".heic", ".heif", ".hif", ".tif", ".tiff"),
    *(".jxl", ".svg", ".bmp", ".ico", ".psd", ".pdf", ".ps", ".eps", ".mvg", ".exr", ".jp2", ".fuzz", ".crash", ".poc"),
}


def _git(repository: Path, *words: str) -> subprocess.Popen[bytes]:
    folder = repository / ".git" if (repository / ".git").exists() else repository
    return subprocess.Popen(
        ["git", f"--git-dir={folder}", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "GIT_NO_LAZY_FETCH": "1"},
    )


def _said(repository: Path, *words: str) -> str:
    out, _ = (process := _git(repository, *words)).communicate()
    if process.returncode:
        sys.exit(f"git {words[0]} of {repository} failed.")
    return out.decode(errors="replace")


def commit(repository: Path) -> str:
    return _said(repository, "rev-parse", "HEAD").strip()


def files(repository: Path, seen: set[str]) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of each file that is not in ``seen``, which are names that git gives to bytes."""
    listed: dict[str, str] = {}
    for line in _said(repository, "ls-tree", "-r", "-l", "-z", "HEAD").split("\0")[:-1]:
        about, path = line.split("\t", 1)
        _, kind, oid, size = about.split()
        if kind == "blob" and size.isdigit() and int(size) <= MOST_BYTES and oid not in seen:
            listed.setdefault(oid, path)
    seen.update(listed)
    with _git(repository, "cat-file", "--batch") as process:
        assert process.stdin is not None and process.stdout is not None
        for oid, path in listed.items():
            process.stdin.write(f"{oid}\n".encode())
            process.stdin.flush()
            head = process.stdout.readline().split()
            if head[1:2] == [b"blob"]:
                yield path, process.stdout.read(int(head[2]) + 1)[:-1]
        process.stdin.close()


def pictures(name: str, repository: Path, seen: set[str]) -> Iterator[tuple[str, str, bytes]]:
    """Format by its bytes (or ``none``), name and bytes of each picture of a repository."""
    for path, data in files(repository, seen):
        pointer = data.startswith(b"version https://git-lfs")
        if (format := sniff(data)) or (PurePosixPath(path).suffix.lower() in NAMES and not pointer):
            yield format or "none", f"{name}/{path}", data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repositories", nargs="+", metavar="NAME=DIRECTORY", type=lambda given: given.split("=", 1))
    parser.add_argument("--decoders", type=int, default=2)
    given = parser.parse_args()
    before, began = circumstances(), time.monotonic()
    told: dict[str, dict[str, Any]] = {}

    def inputs() -> Iterator[tuple[str, str, bytes]]:
        seen: set[str] = set()
        for name, directory in given.repositories:
            told[name] = {"commit": commit(Path(directory)), "files": 0}
            for one in pictures(name, Path(directory), seen):
                told[name]["files"] += 1
                yield one

    tally = asyncio.run(run(inputs(), 500, given.decoders))
    after = {"load average at the end": circumstances()["load average"], "seconds": round(time.monotonic() - began)}
    write("corpora", {**before, **after, "repositories": told, **sums(tally)})
    sys.exit("\n".join(tally.strange) or 0)


if __name__ == "__main__":
    main()
