"""Get the programs that the tests need and Python's package index does not have, from Debian's packages.

What is installed already is used. As root they are installed; as anyone else they are unpacked, with the libraries
they lack, into .tools/debian, and .tools/bin gets one small script each that starts them there. Works on Debian,
Ubuntu and what comes from them; elsewhere it says what to install by hand.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
TREE = TOOLS / "debian"

# What is needed, a program or a library, and the packages it comes from.
NEEDS = {
    "chromium": ["chromium", "fonts-dejavu-core"],
    "mariadbd": ["mariadb-server-core"],
    "curl": ["curl"],
    "libatomic.so.1": ["libatomic1"],  # for the Node that Playwright carries
}
# Where the unpacked programs are; chromium's own start script would look outside our tree.
PLACES = {"chromium": "usr/lib/chromium/chromium", "mariadbd": "usr/sbin/mariadbd", "curl": "usr/bin/curl"}
# Parts of the running system that must stay its own, whatever version a package would like.
NEVER = ("libc6_", "libc-bin_", "locales_")


def apt(*arguments: str, own_state: bool = False) -> None:
    options = ["-q=2", "-o", "Dpkg::Use-Pty=0", "-o", "APT::Install-Recommends=0", "-o", "Acquire::Retries=2"]
    if own_state:  # apt's folders are root's; these are ours
        state, cache = TOOLS / "apt" / "state", TOOLS / "apt" / "cache"
        for folder in (state / "lists" / "partial", cache / "archives" / "partial"):
            folder.mkdir(parents=True, exist_ok=True)
        options += ["-o", f"Dir::State={state}", "-o", f"Dir::Cache={cache}", "-o", "Debug::NoLocking=1"]
        options += ["-o", "Dir::State::status=/var/lib/dpkg/status"]
    command = ["apt-get", *options, *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"This failed: {' '.join(command)}\n{done.stdout}{done.stderr}")


def unpack(packages: list[str]) -> None:
    apt("update", own_state=True)
    apt("install", "--yes", "--download-only", *packages, own_state=True)
    TREE.mkdir(parents=True, exist_ok=True)
    for package in sorted((TOOLS / "apt" / "cache" / "archives").glob("*.deb")):
        if not package.name.startswith(NEVER):
            subprocess.run(["dpkg-deb", "-x", package, TREE], check=True)
    shutil.rmtree(TOOLS / "apt")


def library_folders() -> list[Path]:
    """Where unpacked libraries are; empty where the packages are installed."""
    places = ("lib", "usr/lib", "lib/*-linux-gnu*", "usr/lib/*-linux-gnu*", "usr/lib/*-linux-gnu*/*")
    found = [folder for place in places for folder in TREE.glob(place) if folder.is_dir()]
    return [folder for folder in found if any(folder.glob("lib*.so*"))]


def write_starter(program: str) -> None:
    """A script in .tools/bin that starts the unpacked program with the unpacked libraries and fonts."""
    fonts = TOOLS / "fonts.conf"
    fonts.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f"<dir>{TREE}/usr/share/fonts</dir><dir>/usr/share/fonts</dir><cachedir>{TOOLS}/fontconfig</cachedir>"
        "</fontconfig>\n"
    )
    libraries = ":".join(map(str, library_folders()))
    starter = TOOLS / "bin" / program
    starter.parent.mkdir(exist_ok=True)
    starter.write_text(
        "#!/bin/sh\n"
        f'export LD_LIBRARY_PATH="{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}" FONTCONFIG_FILE="{fonts}"\n'
        f'exec "{TREE / PLACES[program]}" "$@"\n'
    )
    starter.chmod(0o755)


def present(name: str) -> bool:
    if ".so" not in name:
        folders = [*os.get_exec_path(), "/usr/sbin", str(TOOLS / "bin")]
        return shutil.which(name, path=os.pathsep.join(folders)) is not None
    try:
        ctypes.CDLL(name)
    except OSError:
        return any((folder / name).exists() for folder in library_folders())
    return True


def main() -> None:
    missing = [name for name in NEEDS if not present(name)]
    packages = [package for name in missing for package in NEEDS[name]]
    TOOLS.mkdir(exist_ok=True)
    if not missing:
        return
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        sys.exit(
            f"The tests need {' and '.join(missing)}, and this machine has no apt to get them: please install them."
        )
    if os.geteuid() == 0:
        print(f"Installing from Debian's packages: {' '.join(packages)}", flush=True)
        apt("update")
        apt("install", "--yes", *packages)
        return
    print(f"Unpacking Debian's packages into .tools: {' '.join(packages)}", flush=True)
    unpack(packages)
    for name in missing:
        if name in PLACES:
            write_starter(name)


if __name__ == "__main__":
    main()
