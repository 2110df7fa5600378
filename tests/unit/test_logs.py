from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from pixelmill import logs


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_one_form_for_ours_and_for_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", pretty=False)
    structlog.stdlib.get_logger("pixelmill.x").info("batch.accepted", images=3)
    logging.getLogger("granian").warning("Slow %s", "down")
    logging.getLogger("granian").debug("Not this")
    ours, theirs = lines(capsys)
    assert (ours["event"], ours["images"], ours["level"], ours["logger"]) == (
        "batch.accepted",
        3,
        "info",
        "pixelmill.x",
    )
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("Slow down", "warning", "granian")


def test_no_secret_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug", pretty=False)
    log = structlog.stdlib.get_logger("pixelmill.x")
    log.info(
        "started", redis="redis://:hunter2@cache:6379/0", api_key="hunter2", nested={"AWS_SECRET_ACCESS_KEY": "hunter2"}
    )
    log.info("GET https://b.s3.amazonaws.com/k?X-Amz-Signature=hunter2&x=1")
    logging.getLogger("sqlalchemy").error("cannot connect to postgresql://me:hunter2@db/x")
    try:
        password = "hunter2"
        raise ValueError("no")
    except ValueError:
        log.exception("failed", size=len(password))
    written = capsys.readouterr().err
    assert "hunter2" not in written
    assert "redis://***@cache:6379/0" in written
    assert "ValueError: no" in written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("redis://:hunter2@cache:6379/0 is away", "redis://***@cache:6379/0 is away"),
        ("cannot reach postgresql+asyncpg://me:hunter2@db/x", "cannot reach postgresql+asyncpg://***@db/x"),
        ("GET https://b/k?X-Amz-Signature=hunter2&x=1", "GET https://b/k?X-Amz-Signature=***&x=1"),
        ("GET /images/1/a?expires=9&signature=ab.hunter2", "GET /images/1/a?expires=9&signature=***"),
        (f"refused pm_2f6a1b3c4d5e_{'hunter2_' * 5}abc", "refused pm_2f6a1b3c4d5e_***"),
        (f"signed with whsec_{'hunter2+' * 4}=", "signed with whsec_***"),
        (f"authorization: Bearer {'hunter2.' * 3}", "authorization: Bearer ***"),
        ("the bearer of pm_2f6a1b3c4d5e and whsec_", "the bearer of pm_2f6a1b3c4d5e and whsec_"),
    ],
)
def test_secrets_inside_a_text_that_is_logged(text: str, written: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", pretty=False)
    structlog.stdlib.get_logger("pixelmill.x").info("said", error=text, each=[{"of": text}])
    logging.getLogger("library").warning("It says %s", text)
    ours, theirs = lines(capsys)
    assert (ours["error"], ours["each"]) == (written, [{"of": written}])
    assert theirs["event"] == f"It says {written}"


@pytest.mark.parametrize("pretty", [True, False])
def test_an_unknown_level_is_info(pretty: bool, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("loud", pretty=pretty)
    structlog.stdlib.get_logger("pixelmill.x").debug("quiet")
    structlog.stdlib.get_logger("pixelmill.x").info("heard")
    written = capsys.readouterr().err
    assert "heard" in written
    assert "quiet" not in written
