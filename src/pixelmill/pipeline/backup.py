"""Backup and restore of an installation that has everything in its data folder, while it runs.

Stored files never change, bytes are stored before the record refers to them, and the record forgets them before they
are deleted. So: copy the files, then take the database as it is at one moment, then copy what came meanwhile. If
something that this database refers to was deleted before it could be copied, the same again, until nothing is missing.
The queue is not copied: it is filled again from the record.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pixelmill import __version__
from pixelmill.errors import PixelmillError
from pixelmill.records import backup, sqlite_path
from pixelmill.secret import FILE as SECRET
from pixelmill.settings import Settings
from pixelmill.storage import LocalStorage, connect

ABOUT = "backup.json"
#: Sums in the form of `sha256sum -c`, so that a backup can be checked without Pixelmill.
SUMS = "SHA256SUMS"
DATABASE = "pixelmill.db"
FILES = "files"
#: Its place in the database; kept, so that the restored service takes over at once what the old one held.
SLOT = "id"
_CHUNK = 1024 * 1024
_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Told:
    files: int
    bytes: int


def make(settings: Settings, target: Path) -> Told:
    """Write a backup into the new folder ``target``. Raises ``conflict``, or ``unavailable`` with what to mend."""
    storage = _embedded(settings)
    database = sqlite_path(settings.data_dir)
    if not database.exists():
        raise PixelmillError("conflict", f"There is no installation in {settings.data_dir}: see PIXELMILL_DATA_DIR.")
    if target.exists():
        raise PixelmillError("conflict", f"{target} is there already; a backup goes into a new folder.")
    if storage.root.resolve() in target.resolve().parents:
        raise PixelmillError("conflict", f"{target} lies within what is to be copied; choose another place.")
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True, mode=0o700)
        sums = _copy_all(storage, database, part)
        for name in (SECRET, SLOT):
            if (settings.data_dir / name).exists():
                sums[name] = _copy(settings.data_dir / name, part / name)
        sums[DATABASE] = _sum(part / DATABASE)
        told = Told(len(sums), sum((part / name).stat().st_size for name in sums))
        (part / SUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())))
        about = {"version": __version__, "createdAt": datetime.now(UTC).isoformat(), "files": told.files}
        (part / ABOUT).write_text(json.dumps(about | {"bytes": told.bytes}, indent=1) + "\n")
        os.sync()
        part.rename(target)
    except (OSError, sqlite3.Error) as error:
        raise PixelmillError("unavailable", f"The backup could not be written: {error}.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return told


def restore(settings: Settings, source: Path) -> Told:
    """Fill the empty data folder from a backup, every file compared with its sum.

    Raises ``conflict`` when the folder is not empty, or ``source`` is no whole backup. What was begun then stays
    without a database, so that no service takes it for an installation.
    """
    storage = _embedded(settings)
    sums = _read_sums(source)
    for folder in {settings.data_dir, storage.root}:
        if folder.exists() and any(entry != storage.root or any(entry.iterdir()) for entry in folder.iterdir()):
            raise PixelmillError("conflict", f"{folder} is not empty: restore into a new folder (PIXELMILL_DATA_DIR).")
    database = sqlite_path(settings.data_dir)
    part = database.with_name(f".{DATABASE}.part")
    told = 0
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        for name, digest in sorted(sums.items()):
            inside = name.partition("/")[2] if name.startswith(f"{FILES}/") else None
            to = part if name == DATABASE else storage.path(inside) if inside else settings.data_dir / name
            if _copy(source / name, to) != digest:
                raise PixelmillError("conflict", f"The backup is damaged: {name} is not what was written.")
            told += to.stat().st_size
        os.sync()
        part.rename(database)
    except (OSError, ValueError) as error:
        raise PixelmillError("unavailable", f"The backup could not be restored: {error}.") from error
    return Told(len(sums), told)


def _embedded(settings: Settings) -> LocalStorage:
    storage = connect(settings)
    if settings.database_url is not None or not isinstance(storage, LocalStorage):
        detail = (
            "Only an installation with its own SQLite and folder is backed up so; for others use the means of your "
        )
        raise PixelmillError("bad-request", f"{detail}database (pg_dump, mariadb-dump) and of your object store.")
    return storage


def _copy_all(storage: LocalStorage, database: Path, part: Path) -> dict[str, str]:
    """Files and database, as the file's comment says; the sums by name."""
    sums: dict[str, str] = {}
    for _ in range(_ROUNDS):
        _copy_new(storage, part, sums)
        (part / DATABASE).unlink(missing_ok=True)
        backup.snapshot(database, part / DATABASE)
        _copy_new(storage, part, sums)
        if all(f"{FILES}/{key}" in sums for key in backup.keys(part / DATABASE)):
            return sums
    raise PixelmillError(
        "unavailable", "Files are missing that the record refers to: they are deleted faster than copied, or are lost."
    )


def _copy_new(storage: LocalStorage, part: Path, sums: dict[str, str]) -> None:
    for key in _keys(storage.root):
        if (name := f"{FILES}/{key}") not in sums:
            try:
                sums[name] = _copy(storage.root / key, part / name)
            except FileNotFoundError:  # deleted meanwhile
                (part / name).unlink(missing_ok=True)


def _keys(root: Path) -> Iterator[str]:
    """Every file that is whole: those half-written are hidden."""
    for folder, _, names in os.walk(root):
        for name in names:
            if not name.startswith("."):
                yield (Path(folder) / name).relative_to(root).as_posix()


def _copy(source: Path, target: Path) -> str:
    """Copy a file with its mode; its SHA-256."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as write:
        os.fchmod(write.fileno(), os.fstat(read.fileno()).st_mode & 0o777)
        while chunk := read.read(_CHUNK):
            digest.update(chunk)
            write.write(chunk)
    return digest.hexdigest()


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_sums(source: Path) -> dict[str, str]:
    try:
        json.loads((source / ABOUT).read_text())
        lines = (source / SUMS).read_text().splitlines()
    except (OSError, ValueError):
        raise PixelmillError("conflict", f"{source} is no backup that `pixelmill backup` finished.") from None
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    odd = [name for name in sums if not name.startswith(f"{FILES}/") and name not in (SECRET, SLOT, DATABASE)]
    if odd or DATABASE not in sums:
        raise PixelmillError("conflict", f"{source} is no backup of Pixelmill.")
    return sums
