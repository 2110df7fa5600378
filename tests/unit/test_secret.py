from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pixelmill import secret
from pixelmill.errors import PixelmillError
from pixelmill.settings import Settings


def settings(folder: Path, **values: object) -> Settings:
    return Settings(_env_file=None, data_dir=folder, **values)  # type: ignore[arg-type, call-arg]


def test_it_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    first = secret.load(settings(tmp_path)).keys("a")
    assert secret.load(settings(tmp_path)).keys("a") == first
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    for number in range(20):
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(secret.load, [settings(tmp_path / str(number))] * 4))
        assert len({one.keys("a")[0] for one in found}) == 1


def test_a_purpose_has_a_key_of_its_own(tmp_path: Path) -> None:
    found = secret.load(settings(tmp_path))
    assert found.keys("a") != found.keys("b")
    assert len(found.keys("a")[0]) == 32


def test_the_setting_goes_first_and_may_hold_several(tmp_path: Path) -> None:
    old, new = "o" * 32, "n" * 32
    both = secret.load(settings(tmp_path, secret=f"{new} {old}")).keys("a")
    assert both == [secret.load(settings(tmp_path, secret=one)).keys("a")[0] for one in (new, old)]
    assert not (tmp_path / "secret").exists()


@pytest.mark.parametrize("word", [" ", "short", "x" * 32 + " short"])
def test_a_short_one_is_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(PixelmillError, match="PIXELMILL_SECRET"):
        secret.load(settings(tmp_path, secret=word))
