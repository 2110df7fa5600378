"""Names of stored objects, and back."""

from __future__ import annotations

import uuid

import pytest

from pixelmill.storage import keys


@pytest.mark.parametrize("variant", ["small", "a-b", "1.5x", "x_y"])
def test_a_result_has_one_name_whichever_try_made_it(variant: str) -> None:
    batch_id, image_id = str(uuid.uuid4()), str(uuid.uuid4())
    for _ in range(2):
        key = keys.result(batch_id, image_id, str(uuid.uuid4()), variant, "webp")
        assert keys.name_of(key) == keys.name(batch_id, image_id, variant)


def test_what_is_no_result_has_none() -> None:
    assert keys.name_of(keys.original("b", "i")) is None
    assert keys.name_of("processed/b/i/short-small.webp") is None
