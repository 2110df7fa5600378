"""Check that every package that the service runs on has a licence that fits Apache-2.0 (`make licences`).

Those of the GPL and AGPL do not: whoever ships the whole would be bound by them. The LGPL and the MPL do: their
packages are used as they are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "requirements" / "runtime.txt"
PIN = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)

#: By SPDX's names.
FIT = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "LGPL-3.0-only", "LGPL-3.0-or-later"),
    *("MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib"),
}
#: What older packages write instead.
CALLED = {
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
}
#: Packages whose metadata names none; read in their own files.
READ = {"fast-thumbhash": "MIT"}


def installed() -> Iterator[metadata.Distribution]:
    """The pinned packages of the service that this machine needs (some pins are for other systems or Pythons)."""
    for name in dict.fromkeys(name for name, _ in PIN.findall(RUNTIME.read_text())):
        try:
            yield metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue


def licence(package: metadata.Distribution) -> str:
    """As an SPDX expression; empty when it names none that is known."""
    about = package.metadata
    if expression := about.get("License-Expression"):
        return str(expression)
    listed = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier", []) if line.startswith("License")]
    named = [CALLED[one] for one in listed if one in CALLED]
    if named:
        return " OR ".join(sorted(set(named)))
    text = str(about.get("License") or "").strip()
    return text if text in FIT else READ.get(package.name.lower().replace("_", "-"), "")


def fits(expression: str) -> bool:
    """Whether one may do what we do under it: all of `AND`, one of `OR`, of names that fit."""
    alternatives = [part.strip("() ") for part in expression.split(" OR ")]
    return any(all(name.strip("() ") in FIT for name in part.split(" AND ")) for part in alternatives)


def main() -> None:
    found = {package.name: licence(package) for package in installed()}
    wrong = [
        f"{name}: {expression or 'no licence found'}" for name, expression in found.items() if not fits(expression)
    ]
    if wrong:
        sys.exit("These licences do not fit, or are not known (see scripts/licences.py):\n" + "\n".join(wrong))
    print(f"The licences of all {len(found)} packages fit.")


if __name__ == "__main__":
    main()
