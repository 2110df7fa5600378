"""No regular expression of ours takes more than a time in proportion to what it reads, whoever wrote that (ReDoS)."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys

import pixelmill

#: Characters of each text, and seconds of CPU for all: ten times what is needed, and far too few for a square.
SIZE, SECONDS = 100_000, 40
WORDS = ("a", "1", " ", "a ", "a:", "a.", "-", "/", "a/", "=", '"', "\\", "<", "<!--", "]", "\n", "%", "a@", "://", "+")


def patterns() -> dict[str, re.Pattern[str] | re.Pattern[bytes]]:
    """Each that a module of the package keeps, by its place."""
    found = {}
    for module in pkgutil.walk_packages(pixelmill.__path__, "pixelmill."):
        if not module.name.endswith(("__main__", ".migrations.env")):
            names = vars(importlib.import_module(module.name))
            found |= {f"{module.name}.{name}": one for name, one in names.items() if isinstance(one, re.Pattern)}
    return found


def read_everything() -> None:
    """Each reads texts that repeat themselves; one for a whole text (`\\Z`) is only ever matched from the beginning."""
    for pattern in patterns().values():
        for word in WORDS:
            for end in ("", "\0"):
                text = word * (SIZE // len(word)) + end
                given = text.encode() if isinstance(pattern.pattern, bytes) else text
                whole = str(pattern.pattern).endswith("\\Z")
                (pattern.match if whole else pattern.search)(given)  # type: ignore[arg-type]


def test_all_of_them_are_found() -> None:
    assert {"pixelmill.logs._SECRET_IN_URL", "pixelmill.imaging.sniff._BEFORE_SVG"} <= set(patterns())


def test_time_is_in_proportion_to_the_text() -> None:
    code = f"""
        import resource
        resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS}, {SECONDS}))
        from tests.unit.test_patterns import read_everything
        read_everything()
    """
    done = subprocess.run([sys.executable, "-c", "\n".join(map(str.strip, code.splitlines()))], check=False)
    assert done.returncode == 0, "a pattern took more CPU than it may"
