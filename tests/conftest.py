"""Fixtures that every test may use: real servers, the service itself, a browser, photographs.

A server is started by the first test that asks for it, once for each pytest worker; each test gets a database, a
bucket prefix or an emptied Valkey of its own.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from pixelmill.records import sqlite_url
from scripts import debian
from tests import servers
from tests.ceph import ceph

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def _valkey() -> Iterator[str]:
    with servers.valkey() as url:
        yield url


@pytest.fixture
def valkey_url(_valkey: str) -> str:
    """`redis://…` of an empty Valkey."""
    import redis

    with redis.Redis.from_url(_valkey) as client:
        client.flushall()
    return _valkey


@pytest.fixture(scope="session")
def _postgres() -> Iterator[servers.Postgres]:
    with servers.postgres() as server:
        yield server


@pytest.fixture
def postgres_url(_postgres: servers.Postgres) -> Iterator[str]:
    """`postgresql+asyncpg://…` of an empty database."""
    name = f"test_{uuid.uuid4().hex}"
    yield _postgres.create(name)
    _postgres.drop(name)


@pytest.fixture(scope="session")
def _mariadb() -> Iterator[servers.MariaDB]:
    with servers.mariadb() as server:
        yield server


@pytest.fixture
def mariadb_url(_mariadb: servers.MariaDB) -> Iterator[str]:
    """`mysql+aiomysql://…` of an empty database."""
    name = f"test_{uuid.uuid4().hex}"
    yield _mariadb.create(name)
    _mariadb.drop(name)


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, on each kind that the service can have."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def s3() -> Iterator[servers.S3]:
    """A real S3 server with one bucket, kept for the session: use keys under a prefix of your own.

    JuiceFS's gateway, or Ceph's with `PIXELMILL_TEST_S3=ceph`.
    """
    with ceph() if os.environ.get("PIXELMILL_TEST_S3") == "ceph" else servers.s3() as server:
        yield server


@pytest.fixture(scope="session")
def photos() -> list[Path]:
    """Real photographs of 4 to 16 megapixels, progressive and baseline, upright and turned."""
    return sorted((servers.ROOT / "tests" / "data" / "photos").glob("*.jpg"))


@pytest.fixture(scope="session")
def photo(photos: list[Path]) -> Path:
    """One of them: landscape, upright, 4 megapixels."""
    return next(path for path in photos if path.name == "field.jpg")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Service]:
    """A real `pixelmill serve` with its defaults, shared by the tests of a session; stopped and checked at the end."""
    folder = tmp_path_factory.mktemp("service")
    running = servers.start_service(folder / "data", folder / "log.txt")
    yield running
    running.stop()


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[Callable[..., servers.Service]]:
    """Start services of the test's own: `start_service({"PIXELMILL_TRIES": "1"}, data_dir=…)`.

    Those still running at the end are killed; call `.stop()` to check a clean end.
    """
    started: list[servers.Service] = []

    def start(env: dict[str, str | None] | None = None, data_dir: Path | None = None) -> servers.Service:
        log = tmp_path / f"service-{len(started)}.txt"
        started.append(servers.start_service(data_dir or tmp_path / "data", log, env))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Debian's Chromium, installed or unpacked."""
    return servers.find_program("chromium")


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """A headless Chromium that calls nobody by itself.

    One for each module: while it is open its event loop is, and no async test can run beside it.
    """
    from playwright.sync_api import sync_playwright

    quiet = ["quic", "background-networking", "component-update", "sync", "gpu"]
    flags = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    with pytest.MonkeyPatch.context() as patch:
        if libraries := debian.library_folders():  # Playwright's own Node needs one of them
            patch.setenv("LD_LIBRARY_PATH", os.pathsep.join(map(str, libraries)))
        playwright = sync_playwright().start()
    try:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=flags)
        yield browser
        browser.close()
    finally:
        playwright.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty tab with cookies and storage of its own."""
    with browser.new_context(accept_downloads=True) as context:
        yield context.new_page()
