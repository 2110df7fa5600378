from __future__ import annotations

from collections.abc import Sequence

import pytest

from pixelmill.cli import api
from pixelmill.cli.children import leashed
from pixelmill.errors import PixelmillError


def ends(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    async def other(_: Sequence[str]) -> object:
        return await leashed(["/bin/sh", "-c", how])

    monkeypatch.setattr(api, "leashed", other)


async def test_why_a_migration_ended_is_said_by_it_or_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ends(monkeypatch, "kill -9 $$")
    with pytest.raises(PixelmillError, match="cut off by signal SIGKILL"):
        await api._migrate()
    ends(monkeypatch, "exit 3")
    with pytest.raises(SystemExit):
        await api._migrate()
    ends(monkeypatch, "exit 0")
    await api._migrate()
