"""The check for what belongs to one machine only: it finds it, and finds nothing else."""

from __future__ import annotations

import pytest

from scripts import tree

# Written in two halves, so that this file passes the check itself.
HOME = "/ho" + "me/somebody"
WORK = "/wo" + "rk/main"


@pytest.mark.parametrize("text", [f"cd {HOME}", f"path = '{WORK}'", f"({HOME}/x)", f"file://{HOME}/a"])
def test_a_private_path_is_found_in_any_file(text: str) -> None:
    assert tree.faults("docs/a.md", f"first\n{text}\n") != []


def test_the_line_is_told() -> None:
    assert tree.faults("a.py", f"\n\nx = '{HOME}'")[0].startswith("a.py:3: ")


@pytest.mark.parametrize(
    "text", ["https://example.org/home/page", "./work/main", "src/home/x", "GET /homework", "/root"]
)
def test_what_only_looks_like_one_is_not(text: str) -> None:
    assert tree.faults("docs/a.md", text) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("web/package-lock.json", '"resolved": "https://registry.example/a.tgz"'),
        ("requirements/dev.txt", "--index-url https://index.example/simple"),
        ("requirements/dev.txt", "--extra-index-url file:///srv/simple"),
        (".npmrc", "registry=https://registry.example"),
    ],
)
def test_an_index_is_found_in_a_lock_file(name: str, text: str) -> None:
    assert tree.faults(name, text) != []


def test_an_index_may_be_written_about() -> None:
    assert tree.faults("docs/howto/mirror.md", "pip install --index-url https://index.example/simple") == []


def test_this_repository_names_no_machine() -> None:
    tree.main()
