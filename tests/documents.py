"""Run what a document tells its reader to type.

Every fenced block of `sh`, `bash` or `python` in a document is run, in the order of the document, in one folder: the
clone that the document's own start block makes. Two comments, each on the line above the fence, change that:

    <!-- start -->           clones the repository and starts the service; runs until the last block is done
    <!-- not run: why -->    leaves the block out, and says why

What is put in place of what the reader would type: the address `127.0.0.1:3000` (or `localhost:3000`) becomes that of
the service under test, and the address after `git clone` this repository. `.venv/bin` is first on the PATH, and
`photo.jpg` and `photo2.jpg` are there. A block fails when one of its commands does; curl fails on an HTTP error.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(
    r"(?:^<!-- *(?P<note>[^\n]*?) *-->\n)?^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^(?P=indent)```",
    re.MULTILINE | re.DOTALL,
)
NOT_RUN = re.compile(r"not run: +\S")
RUNNABLE = {"sh", "bash", "python"}


@dataclass(frozen=True)
class Block:
    line: int
    language: str
    code: str
    note: str = ""

    @property
    def starts(self) -> bool:
        return self.note == "start"

    @property
    def runs(self) -> bool:
        return self.language in RUNNABLE and not self.starts and not NOT_RUN.match(self.note)

    def command(self, address: str) -> list[str]:
        """The program and arguments that run this block against the service at `address` (host:port)."""
        code = re.sub(r"\b(127\.0\.0\.1|localhost):3000\b", address, self.code)
        if self.language == "python":
            return ["python", "-W", "error", "-c", code]
        code = re.sub(r"\bgit clone \S+(?: [\w./-]+)?", f"git clone --quiet '{ROOT}' pixelmill", code)
        return ["bash", "-euo", "pipefail", "-c", code]


def blocks(text: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(text):
        indent = len(match["indent"])
        code = "".join(line[indent:] for line in match["code"].splitlines(keepends=True))
        found.append(Block(text.count("\n", 0, match.start("code")), match["language"], code, match["note"] or ""))
    return found


def prepare(folder: Path, photos: list[Path]) -> dict[str, str]:
    """Put the reader's photographs into the folder; the settings that make curl fail on an HTTP error."""
    for name, photo in zip(("photo.jpg", "photo2.jpg"), photos, strict=False):
        shutil.copyfile(photo, folder / name)
    (folder / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\nmax-time = 60\n")
    return {"CURL_HOME": str(folder)}
