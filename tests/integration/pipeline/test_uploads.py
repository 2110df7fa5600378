from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pixelmill.errors import PixelmillError
from pixelmill.pipeline import Uploads
from pixelmill.pipeline.presence import new_id
from pixelmill.records import uploads
from pixelmill.records.models import Upload
from pixelmill.records.tables import now
from tests.integration.pipeline.conftest import Parts


class Cut(Exception):
    """The client went away."""


async def test_pieces_that_may_be_recorded_stay(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    taking = Uploads(parts.database, parts.storage, parts.settings, parts.presence)
    one = Upload(
        id=new_id(),
        owner="",
        kind="tus",
        ticket_id=None,
        position=0,
        state="open",
        original_name="a.jpg",
        key="",
        length=5000,
        offset=0,
        sha256=None,
        format=None,
        metadata={"pieces": []},
        token=None,
        process_id=None,
        batch_id=None,
        expires_at=taking.until(),
        created_at=now(),
    )
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
