from __future__ import annotations

from pathlib import Path

import pytest

from pixelmill.cli import common
from pixelmill.errors import PixelmillError
from pixelmill.settings import Settings


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type, call-arg]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_open(host: str) -> None:
    common.check_exposure(settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "pictures.example.org", "localhost.example.org"])
def test_elsewhere_is_refused_without_keys(host: str, tmp_path: Path) -> None:
    with pytest.raises(PixelmillError, match="PIXELMILL_OPEN=true"):
        common.check_exposure(settings(host=host, data_dir=tmp_path))
    common.check_exposure(settings(host=host, data_dir=tmp_path, allow_open=True))


def test_a_wrong_setting_is_named_as_a_person_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELMILL_PORT", "hunter2")
    monkeypatch.setenv("PIXELMILL_TRIES", "0")
    with pytest.raises(PixelmillError) as caught:
        common.load_settings()
    assert "PIXELMILL_PORT" in caught.value.detail
    assert "PIXELMILL_TRIES" in caught.value.detail
    assert "hunter2" not in caught.value.detail


def test_a_part_alone_needs_a_queue(tmp_path: Path) -> None:
    with pytest.raises(PixelmillError, match="Set REDIS_URL"):
        common.check_queue(settings(data_dir=tmp_path))
    with pytest.raises(PixelmillError, match="must start with redis://"):
        common.check_queue(settings(redis_url="http://cache:6379"))
    common.check_queue(settings(redis_url="rediss://:password@cache:6380/1"))
