"""Names of files that come from elsewhere."""

from __future__ import annotations

import pytest

from pixelmill.client.downloading import Names, filename
from pixelmill.client.steps import Reply


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('inline; filename="a-web.jpg"', "a-web.jpg"),
        ("inline; filename=\"_.jpg\"; filename*=UTF-8''%C3%A9.jpg", "é.jpg"),
        ('inline; filename="../../etc/passwd"', "_.._etc_passwd"),
        ('inline; filename="..\\\\evil.jpg"', "_evil.jpg"),
        ('inline; filename="/abs"', "_abs"),
        ('inline; filename=".hidden"', "hidden"),
        ('inline; filename=".."', "image"),
        ("inline", "image"),
        ("", "image"),
    ],
)
def test_a_name_stays_in_its_folder(header: str, name: str) -> None:
    assert filename(Reply(200, {"content-disposition": header})) == name


def test_no_two_files_have_one_name() -> None:
    names = Names()
    assert [names.free(name) for name in ("a.jpg", "A.jpg", "a.jpg", "b", "b")] == [
        "a.jpg",
        "A (2).jpg",
        "a (3).jpg",
        "b",
        "b (2)",
    ]
