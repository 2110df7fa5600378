"""Photos, folders and ZIPs as a person names them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from pixelmill.cli.photos import expand, groups


def test_folders_and_zips_give_their_images_in_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.jpg", "sub/c.heic", ".git/d.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(name.encode())
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        for name in ("z/2.webp", "z/1.jpg", "__MACOSX/z/._1.jpg", "read.me", "../out.jpg"):
            archive.writestr(name, name)
    (tmp_path / "odd.bin").write_bytes(b"?")
    found = expand([tmp_path / "photos", tmp_path / "more.zip", tmp_path / "odd.bin"])
    assert [one.name for one in found] == ["a.png", "b.JPG", "c.heic", "1.jpg", "2.webp", "odd.bin"]
    contents = []
    for one in found:
        with one.open() as opened:
            contents.append(opened.read())
    assert [one.size for one in found] == [len(content) for content in contents]
    assert contents[3:5] == [b"z/1.jpg", b"z/2.webp"]
    assert [len(group) for group in groups(found, 4)] == [4, 2]


def test_what_is_not_there_or_no_zip_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    for name in ("bad.zip", "nothing.jpg", "nothing.zip"):
        with pytest.raises(OSError):
            expand([tmp_path / name])
