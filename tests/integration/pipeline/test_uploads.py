from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pixelmill.errors import PixelmillError
from pixelmill.pipeline import Uploads
from pixelmill.pipeline.presence import new_id
from pixelmill.records import uploads
from tests.integration.pipeline.conftest import Parts
from tests.rows import an_upload


class Cut(Exception):
    """The client went away."""


async def test_pieces_that_may_be_recorded_stay(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    taking = Uploads(parts.database, parts.storage, parts.settings, parts.presence)
    one = an_upload(new_id(), length=5000)
    await uploads.create(parts.database, [one])
    advance = uploads.advance

    async def lost(*arguments: Any, **named: Any) -> bool:
        assert await advance(*arguments, **named)
        raise PixelmillError("unavailable", "The database closed the connection; try again.")

    async def cut() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        raise Cut

    # The client goes away, and the answer to recording what came is lost with a connection to the database.
    with monkeypatch.context() as broken:
        broken.setattr(uploads, "advance", lost)
        with pytest.raises(Cut):
            await taking.patch(one.id, 0, cut())
    found = await uploads.find(parts.database, one.id)
    assert found
    assert found.offset == 1000
    [[key, _]] = found.metadata["pieces"]
    assert parts.files() == [key]
