"""A copy of the SQLite database while it is in use, and what it refers to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

#: Bytes that the record promises: those of uploads that are whole, of originals and of results, unless their time is
#: over and they are being deleted.
_KEYS = """
SELECT images.key FROM images JOIN batches ON batches.id = images.batch_id
 WHERE images.key IS NOT NULL AND NOT batches.originals_gone AND NOT batches.deleting
UNION ALL
SELECT variants.key FROM variants JOIN images ON images.id = variants.image_id
  JOIN batches ON batches.id = images.batch_id
 WHERE variants.key IS NOT NULL AND NOT batches.results_gone AND NOT batches.deleting
UNION ALL
SELECT key FROM uploads WHERE state = 'finished'
"""


def snapshot(source: Path, target: Path) -> None:
    """Copy the database as it is at one moment; those who write go on meanwhile.

    Raises sqlite3.Error when there is none, or the copy is not sound.
    """
    with (
        closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=60)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        # All pages in one step: the view that a step reads is kept, and in WAL mode no writer waits for it.
        live.backup(copy, pages=-1)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        [(said,)] = copy.execute("PRAGMA quick_check(1)")
        if said != "ok":
            raise sqlite3.DatabaseError(f"the copy of the database is damaged: {said}")


def keys(database: Path) -> Iterator[str]:
    """The keys of all bytes that the copy refers to."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as copy:
        for (key,) in copy.execute(_KEYS):
            yield key
