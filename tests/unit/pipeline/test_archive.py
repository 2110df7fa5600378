"""Names in an archive: safe to unpack anywhere, and each its own."""

from __future__ import annotations

import hashlib
import io
import json
import unicodedata
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelmill.pipeline.archive import MANIFEST, Archive, Entry, Names, stem
from pixelmill.records.models import Batch, BatchStatus, Counts


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        ("holiday.jpg", "holiday"),
        ("holiday", "holiday"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system"),
        ("/absolute/path.png", "path"),
        ("C:\\photos\\a.jpg", "a"),
        ("C:a.jpg", "C_a"),
        ("..", "image"),
        ("", "image"),
        (".jpg", "jpg"),
        ("   ", "image"),
        ("a. . .jpg", "a"),
        ("nul", "_nul"),
        ("CON.jpg", "_CON"),
        ("com1.tar.gz", "_com1.tar"),
        ("aux ", "_aux"),
        ("console.jpg", "console"),
        ("a\x00b\n.jpg", "a_b_"),
        ('a<b>:"|?*.jpg', "a_b______"),
        ("gpj.\u202eexe", "gpj"),
        ("cafe\u0301.jpg", "caf\u00e9"),
        ("\u5bb6\u65cf.jpg", "\u5bb6\u65cf"),
        ("\ud800.jpg", "_"),
        ("x" * 300 + ".jpg", "x" * 180),
    ],
)
def test_a_name_that_every_file_system_takes(original: str, expected: str) -> None:
    assert stem(original) == expected


def test_the_same_name_twice_is_numbered_also_in_other_case() -> None:
    names = Names()
    given = [names.name(one, "square", ".jpg") for one in ("a.png", "A.jpg", "x/a.gif", "b.jpg", "a-square (2).jpg")]
    assert given == ["a-square.jpg", "A-square (2).jpg", "a-square (3).jpg", "b-square.jpg", "a-square (2)-square.jpg"]


def test_a_number_that_is_taken_is_passed_over() -> None:
    names = Names()
    assert names.name("a-b (2)", "c", ".jpg") == "a-b (2)-c.jpg"
    assert [names.name("a", "b", ".jpg") for _ in range(2)] == ["a-b.jpg", "a-b (2).jpg"]


@given(st.lists(st.tuples(st.text(max_size=300), st.sampled_from(["a", "b"])), max_size=20))
def test_whatever_clients_call_their_files(files: list[tuple[str, str]]) -> None:
    names = Names()
    given = [names.name(original, variant, ".jpg") for original, variant in files]
    folded = {unicodedata.normalize("NFC", name.casefold()) for name in [*given, MANIFEST]}
    assert len(folded) == len(given) + 1
    for name in given:
        assert 0 < len(name.encode()) <= 255
        assert not set(name) & set('/\\<>:"|?*\0')
        assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in name)
        assert name not in (".", "..")
        assert name == name.strip(" .")


class Memory:
    """A storage that holds bytes by key, given in small chunks."""

    def __init__(self, held: dict[str, bytes]) -> None:
        self.held = held

    async def read(self, key: str) -> AsyncIterator[bytes]:
        for start in range(0, len(self.held[key]), 100):
            yield self.held[key][start : start + 100]


def batch() -> Batch:
    at = datetime(2026, 11, 22, 6, tzinfo=UTC)
    return Batch("b", "", BatchStatus.COMPLETED, Counts(1, 1), "web", {}, {"n": "\u00fc"}, None, 0, 1, at, at)


@pytest.mark.parametrize("limit", [zipfile.ZIP64_LIMIT, 3000, 300, 0])
@pytest.mark.parametrize("sizes", [[0], [1, 2, 3], [100, 299, 300, 301, 3001], [700] * 30])
async def test_its_length_is_known_to_the_byte_also_as_zip64(
    monkeypatch: pytest.MonkeyPatch, limit: int, sizes: list[int]
) -> None:
    """With the limits of the old format lowered, so that a few bytes are beyond them."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", limit)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 20 if limit < 2**31 - 1 else 65535)
    held = {f"key-{at}": bytes([at]) * size for at, size in enumerate(sizes)}
    entries = [
        Entry(f"caf\u00e9-{at}.jpg", f"key-{at}", size, None, {"name": f"caf\u00e9-{at}.jpg"})
        for at, size in enumerate(sizes)
    ]
    archive = Archive(batch(), entries, [{"jobId": "x"}])
    data = b"".join([chunk async for chunk in archive.stream(Memory(held))])  # type: ignore[arg-type]
    assert len(data) == archive.length
    monkeypatch.undo()
    opened = zipfile.ZipFile(io.BytesIO(data))
    assert opened.testzip() is None
    assert [opened.read(one.name) for one in entries] == list(held.values())
    manifest = json.loads(opened.read(MANIFEST))
    digests = [hashlib.sha256(one).hexdigest() for one in held.values()]
    assert [one["sha256"] for one in manifest["files"]] == digests
