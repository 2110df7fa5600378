"""The form that is uploaded, read back by an independent parser."""

from __future__ import annotations

import io
import zipfile
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path

import pytest

from pixelmill.client.files import Form, ZipMember, sources


def test_a_form_is_as_long_as_it_says_and_can_be_sent_again(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"A" * 200_000)
    opened = io.BytesIO(b"skipped-C")
    opened.seek(8)
    with zipfile.ZipFile(tmp_path / "some.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/d.jpg", b"D" * 1000)
    files = sources([tmp_path / "a.jpg", ("b.jpg", b"B"), ('c"\r\n.jpg', opened)])
    files.append(ZipMember(tmp_path / "some.zip", "in/d.jpg", 1000))
    form = Form({"preset": "wéb"}, files, None)
    for _ in range(2):
        body = b"".join(form.chunks())
        assert len(body) == form.length
        told = message_from_bytes(f"Content-Type: {form.content_type}\r\n\r\n".encode() + body, policy=HTTP)
        parts = [(part.get_filename(), part.get_payload(decode=True)) for part in told.iter_parts()]
        assert parts == [
            (None, "wéb".encode()),
            ("a.jpg", b"A" * 200_000),
            ("b.jpg", b"B"),
            ("c%22%0D%0A.jpg", b"C"),
            ("d.jpg", b"D" * 1000),
        ]


def test_one_file_needs_no_list(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"A")
    for one in (str(tmp_path / "a.jpg"), tmp_path / "a.jpg", ("a.jpg", b"A")):
        (found,) = sources(one)
        assert (found.name, found.size) == ("a.jpg", 1)
    assert sources(()) == []
    assert [one.name for one in sources((str(tmp_path / "a.jpg"), str(tmp_path / "a.jpg")))] == ["a.jpg", "a.jpg"]


def test_what_cannot_be_read_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.jpg"):
        with pytest.raises(OSError):
            sources(path)


def test_a_file_that_shrinks_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"AAAA")
    form = Form({}, sources(tmp_path / "a.jpg"), None)
    (tmp_path / "a.jpg").write_bytes(b"A")
    with pytest.raises(OSError, match="shorter"):
        b"".join(form.chunks())
