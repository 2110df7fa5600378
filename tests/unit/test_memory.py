from __future__ import annotations

import platform

import pytest

from pixelmill import memory

MEGABYTE = 1_000_000


def test_it_knows_what_it_holds() -> None:
    assert 5 * MEGABYTE < memory.held() < 10_000 * MEGABYTE


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library cannot be asked to")
def test_what_is_freed_is_given_back_though_something_lies_behind_it() -> None:
    blocks = [b"x" * size for size in [100_000] * 400]  # on the heap, as all below 128 KiB is
    held = memory.held()
    last = blocks[-1]
    del blocks
    memory.trim()
    assert memory.held() < held - 20 * MEGABYTE
    assert last == b"x" * 100_000
