"""Two installations that can be broken in every way, and are kept running as an operator would keep them.

:class:`Embedded` is ``pixelmill serve`` with its defaults, its data on a small tmpfs of its own. :class:`Apart` is an
API, two workers, PostgreSQL, a Valkey that keeps nothing, and an S3 server behind a proxy that can fail.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from pixelmill.records import Database, migrate
from pixelmill.settings import Settings
from tests import servers
from tests.chaos.clock import Clock
from tests.chaos.schedule import Fault
from tests.proxy import SLOW_DOWN, Proxy, Request, answer
from tests.proxy import Fault as Broken

#: Sooner than the defaults, so that a run need not wait for them: deadlines of images, and tries.
QUICKER = {"PIXELMILL_IMAGE_SECONDS": "30", "PIXELMILL_RETRY_SECONDS": "1", "PIXELMILL_WORKERS": "2"}
_PIXELMILL = [sys.executable, "-m", "pixelmill"]


def children(pid: int) -> list[int]:
    """Decoders do not inherit the mark by which the others are found."""
    with suppress(OSError):
        tasks = [*Path(f"/proc/{pid}/task").iterdir()]
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return []


def send_signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


class Rig(ABC):
    """What both have. Used as ``async with``; ``kinds`` are the faults that it can have here."""

    kinds: list[str]
    #: The wall clock is set to so many hours from the truth at most, either way. Together less than the day for which
    #: an answer to an Idempotency-Key is kept.
    hours = 10.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = ExitStack()
        self.clock = Clock(folder)
        self.mark = uuid.uuid4().hex
        self.url = ""
        self.env: dict[str, str] = {}
        #: Processes that ended although nobody killed them.
        self.surprises: list[str] = []

    @abstractmethod
    async def __aenter__(self) -> Rig: ...

    @abstractmethod
    async def __aexit__(self, *_: object) -> None: ...

    @abstractmethod
    async def stop(self) -> None:
        """Ask the service to end; AssertionError when it does not, or leaves anything running."""

    def settings(self) -> Settings:
        """To look at the record and the storage past the service."""
        given: dict[str, Any] = {"data_dir": self.folder / "data", "database_url": None, "redis_url": None}
        return Settings(_env_file=None, **given)

    def found(self, *words: str) -> list[int]:
        return [pid for pid, line in servers.marked(self.mark) if all(word in line for word in words)]

    def victims(self, who: str, draw: float) -> list[int]:
        """The processes of a kind; of workers and decoders one, chosen by ``draw``."""
        if who in ("worker", "decoder"):
            pids = sorted(self.found("pixelmill worker"))
            if who == "decoder":
                pids = sorted(child for pid in pids for child in children(pid))
            return [pids[int(draw * len(pids))]] if pids else []
        return self.found({"api": "pixelmill api", "valkey": "valkey-server"}[who])

    async def _some(self, who: str, draw: float) -> list[int]:
        """Victims, once there are any: another fault may just have ended them."""
        for _ in range(120):
            if pids := self.victims(who, draw):
                return pids
            await asyncio.sleep(0.5)
        return []

    async def have(self, fault: Fault) -> tuple[int, str]:
        """Let it happen, and mend it; how many it hit, and of what; 0 when it found nobody."""
        kind, _, who = fault.name.partition("-")
        if kind in ("kill", "restart", "freeze"):
            pids = await self._some(who, fault.draw)
            if kind == "freeze":
                send_signal(pids, signal.SIGSTOP)
                try:
                    await asyncio.sleep(fault.lasts)
                finally:
                    send_signal(pids, signal.SIGCONT)
            else:
                send_signal(pids, signal.SIGKILL if kind == "kill" else signal.SIGTERM)
            return len(pids), "processes"
        if fault.name == "empty-valkey":
            return await self.empty_valkey()
        if fault.name == "clock":
            hours = (2 * fault.draw - 1) * self.hours
            self.clock.set(hours)
            return 1, f"clock, set to {hours:+.2f} h"
        raise ValueError(fault.name)

    async def empty_valkey(self) -> tuple[int, str]:
        import redis.asyncio as redis

        client = redis.Redis.from_url(self.redis_url, socket_timeout=2)
        try:
            await client.flushall()
            return 1, "server"
        except (redis.RedisError, OSError) as error:
            return 0, type(error).__name__
        finally:
            await client.aclose()

    @property
    @abstractmethod
    def redis_url(self) -> str: ...


COMMON = [f"{what}-{who}" for what in ("kill", "freeze") for who in ("worker", "api", "decoder", "valkey")]
COMMON += ["restart-worker", "restart-api", "restart-valkey", "empty-valkey"]


class Embedded(Rig):
    """``size`` of its disk, in MiB. Without root it has no disk of its own, and none that fills up."""

    def __init__(self, folder: Path, size: int, env: dict[str, str]) -> None:
        super().__init__(folder)
        self.data = folder / "data"
        self.data.mkdir()
        self.mounted = (
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size}m", "pixelmill-chaos", self.data],
                capture_output=True,
                check=False,
            ).returncode
            == 0
        )
        self.env = {**QUICKER, **env, **self.clock.env}
        self.kinds = [*COMMON, "kill-all"]
        self.kinds += ["disk-full"] * self.mounted + ["clock"] * bool(self.clock.env)
        self._service: servers.Service | None = None
        self._busy = asyncio.Lock()

    async def __aenter__(self) -> Embedded:
        await self._start()
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        if self._service:
            await asyncio.to_thread(self._service.kill)
        if self.mounted:
            subprocess.run(["umount", "-l", self.data], check=False)
        self.stack.close()

    async def stop(self) -> None:
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        assert self._service
        await asyncio.to_thread(self._service.stop)

    @property
    def redis_url(self) -> str:
        from pixelmill.queue import embedded

        return embedded.url(self.data)

    async def have(self, fault: Fault) -> tuple[int, str]:
        if fault.name == "kill-all":
            assert self._service
            async with self._busy:
                await asyncio.to_thread(self._service.kill)
                await self._start()
            return 1, "tree, started again"
        if fault.name == "disk-full":
            return await self._fill(fault.lasts)
        return await super().have(fault)

    async def _fill(self, seconds: float) -> tuple[int, str]:
        filler = self.data / f"filler-{seconds}"
        free = shutil.disk_usage(self.data).free
        with filler.open("wb") as file:
            try:
                left = free
                while left > 0:  # others write and delete meanwhile
                    with suppress(OSError):
                        await asyncio.to_thread(os.posix_fallocate, file.fileno(), 0, left)
                        break
                    left -= max(65536, left // 64)
                await asyncio.sleep(seconds)
            finally:
                filler.unlink()
        return free >> 20, "MiB taken"

    async def _start(self) -> None:
        """As a service manager does: again, until it runs."""
        end = time.monotonic() + 300
        while True:
            try:
                log = self.folder / "service.log"
                found = await asyncio.to_thread(servers.start_service, self.data, log, self.env, patience=120)
            except (RuntimeError, TimeoutError) as error:
                self.surprises.append(f"it did not start: {str(error).splitlines()[0]}")
                assert time.monotonic() < end, "it does not start any more"
                await asyncio.sleep(1)
                continue
            self._service, self.mark, self.url = found, found.mark, found.base_url
            return

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            if self._busy.locked():
                continue
            async with self._busy:
                if self._service and self._service.process.poll() is not None:
                    self.surprises.append(f"serve ended with {self._service.process.returncode}")
                    await asyncio.to_thread(self._service.kill)
                    await self._start()


async def migrated(url: str) -> None:
    db = Database(url)
    await migrate(db)
    await db.close()


class Kept:
    """A process that is started again when it ends, after ``pause`` seconds."""

    def __init__(
        self, command: Sequence[str | Path], folder: Path, log: str, *, env: dict[str, str], user: str | None = None
    ) -> None:
        self._command = [str(word) for word in command]
        self._folder, self._log, self._env, self._user = folder, folder / log, env, user
        self.process = self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=self._env,
                user=self._user,
                start_new_session=True,
                preexec_fn=servers.die_with_parent,
            )

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            if self.process.poll() is not None:
                self.process = self._spawn()

    async def stop(self, number: signal.Signals) -> int:
        """End it for good; its exit status."""
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            return await asyncio.to_thread(self.process.wait, 40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return await asyncio.to_thread(self.process.wait)


class Apart(Rig):
    #: S3 refuses signatures that are a quarter of an hour off (RequestTimeTooSkewed), and its server's clock is right.
    hours = 0.2

    def __init__(self, folder: Path, seed: int, env: dict[str, str]) -> None:
        super().__init__(folder)
        self.kinds = [*COMMON, "kill-postgres", "restart-postgres", "freeze-postgres"]
        self.kinds += ["storage-errors", "storage-slow", "storage-cut"] + ["clock"] * bool(self.clock.env)
        self._given = env
        self._draw = random.Random(seed)
        self._storage = ""
        self._failed = 0
        self._servers: dict[str, Kept] = {}
        self._ours: list[Kept] = []

    async def __aenter__(self) -> Apart:
        self._s3 = await asyncio.to_thread(self.stack.enter_context, servers.s3())
        self._proxy = Proxy(self._s3.endpoint, self._break)
        await self._proxy.__aenter__()
        for name in ("valkey", "postgres"):
            folder = self.stack.enter_context(servers.folder_for(name))
            port = servers.free_port()
            env = {**os.environ, "PIXELMILL_TEST_MARK": self.mark}
            if name == "valkey":
                self._redis = f"redis://{servers.LOOPBACK}:{port}/0"
                self._servers[name] = Kept(servers.valkey_command(port, folder), folder, "log.txt", env=env)
            else:
                command, user, self._pg = await asyncio.to_thread(servers.prepare_postgres, folder, port)
                self._servers[name] = Kept(command, folder, "log.txt", env=env, user=user)
                await asyncio.to_thread(
                    servers.wait_until, lambda: servers.postgres_answers(self._pg), "PostgreSQL", 120
                )
                self._database = self._pg.create("chaos")
                await migrated(self._database)
        self.env = {
            **self._s3.env(),
            "AWS_ENDPOINT_URL": self._proxy.url,
            "PIXELMILL_STORAGE_PRESIGN": "false",
            "PIXELMILL_REDIS_URL": self._redis,
            "PIXELMILL_DATABASE_URL": self._database,
            # Every machine has it, as the manual says.
            "PIXELMILL_SECRET": "chaos" * 10,
            **QUICKER,
            **self._given,
            **self.clock.env,
        }
        port = servers.free_port()
        self.url = f"http://{servers.LOOPBACK}:{port}"
        for number, words in enumerate((["api"], ["worker"], ["worker"])):
            env = servers.service_env(port, self.folder / f"data-{number}", self.mark, self.env)
            self._ours.append(Kept([*_PIXELMILL, *words], self.folder, f"service-{number}.log", env=env))
        return self

    async def __aexit__(self, *_: object) -> None:
        for one in self._ours:
            await one.stop(signal.SIGKILL)
        for one in self._servers.values():
            await one.stop(signal.SIGKILL)
        await self._proxy.__aexit__(None, None, None)
        self.stack.close()

    async def stop(self) -> None:
        codes = [await one.stop(signal.SIGTERM) for one in self._ours]
        assert codes == [0, 0, 0], codes
        assert not self.found("-m pixelmill")

    def settings(self) -> Settings:
        given: dict[str, Any] = {
            "data_dir": self.folder / "data",
            "database_url": self._database,
            "redis_url": None,
            "storage_url": f"s3://{self._s3.bucket}",
            "aws_endpoint_url": self._s3.endpoint,
            "aws_access_key_id": self._s3.access_key,
            "aws_secret_access_key": self._s3.secret_key,
            "aws_region": self._s3.region,
        }
        return Settings(_env_file=None, **given)

    @property
    def redis_url(self) -> str:
        return self._redis

    def victims(self, who: str, draw: float) -> list[int]:
        if who in self._servers:
            pid = self._servers[who].process.pid
            # PostgreSQL has a process for each connection: all of it is killed or frozen, as its machine would be.
            return [pid, *children(pid)]
        return super().victims(who, draw)

    async def have(self, fault: Fault) -> tuple[int, str]:
        if fault.name == "restart-postgres":
            self._servers["postgres"].process.send_signal(signal.SIGINT)  # its fast shutdown
            return 1, "server"
        if fault.name.startswith("storage-"):
            self._storage = fault.name
            before = self._failed
            try:
                await asyncio.sleep(fault.lasts)
            finally:
                self._storage = ""
            return self._failed - before, "requests"
        return await super().have(fault)

    def _break(self, request: Request) -> Broken | None:
        if not self._storage or self._draw.random() < 0.2:  # some come through
            return None
        self._failed += 1
        match self._storage:
            case "storage-errors":
                status = self._draw.choice(["500 Internal Server Error", "503 Slow Down", "502 Bad Gateway"])
                return Broken(reply=answer(status, SLOW_DOWN))
            case "storage-cut":
                return Broken(cut=self._draw.choice([0, 1, 100, 2000]))
            case "storage-slow":
                return Broken(delay=self._draw.uniform(0.5, 5))
        return None
