"""Names in an archive: safe to unpack anywhere, and each its own."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelmill.pipeline.archive import MANIFEST, Names, stem


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
