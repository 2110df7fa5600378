"""Machines of their own, as far as the network goes: Linux network namespaces with one cable each to the test.

A machine reaches the servers of the test (which listen on loopback alone) at the test's end of its cable, port by
port, and nothing else. Its cable can be pulled. Making them needs root.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.servers import LOOPBACK, SCRIPTS, die_with_parent


def need_root() -> None:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and iproute2, to make network namespaces")
    probe = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this machine lets nobody make network namespaces")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class _Forward(socketserver.BaseRequestHandler):
    """One connection, passed on to the same port of loopback."""

    def handle(self) -> None:
        # A server asks the machine itself whether it is there; here it would ask us.
        for option, seconds in ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3)):
            self.request.setsockopt(socket.IPPROTO_TCP, option, seconds)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        with socket.create_connection((LOOPBACK, self.server.server_address[1])) as server:  # type: ignore[index]
            back = threading.Thread(target=_copy, args=(server, self.request), daemon=True)
            back.start()
            _copy(self.request, server)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A machine whose cable is pulled is no error of the test."""


@dataclass
class Machine:
    """``address`` is its own, ``gateway`` the test's end of its cable."""

    name: str
    cable: str
    address: str
    gateway: str
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    forwards: dict[int, _Server] = field(default_factory=dict)

    def reach(self, url: str) -> str:
        """The URL of a server of the test, as this machine reaches it."""
        parts = urlsplit(url)
        assert parts.hostname == LOOPBACK
        assert parts.port
        if parts.port not in self.forwards:
            server = self.forwards[parts.port] = _Server((self.gateway, parts.port), _Forward)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return urlunsplit(parts._replace(netloc=parts.netloc.replace(LOOPBACK, self.gateway)))

    def run(self, command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """`pixelmill …` on this machine; it knows nothing but ``env``, and has a folder of its own."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "log.txt").open("ab") as output:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.name, SCRIPTS / "pixelmill", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "PIXELMILL_DATA_DIR": str(self.folder / "data"), **env},
                preexec_fn=die_with_parent,
            )
        self.processes.append(process)
        return process

    def pull(self) -> None:
        """Pull the cable: nothing comes through, and nobody is told."""
        _ip("link", "set", self.cable, "down")

    def plug(self) -> None:
        _ip("link", "set", self.cable, "up")

    def log(self) -> str:
        return (self.folder / "log.txt").read_text(errors="replace")


@contextmanager
def machines(names: Sequence[str], folder: Path) -> Iterator[list[Machine]]:
    need_root()
    mark, net = secrets.token_hex(2), f"10.{secrets.randbelow(100) + 100}.{secrets.randbelow(250) + 1}"
    made = []
    try:
        for number, name in enumerate(names):
            gateway, address = (f"{net}.{4 * number + end}" for end in (1, 2))
            machine = Machine(f"pm-{mark}-{name}", f"pm{mark}{number}", address, gateway, folder / name)
            _ip("netns", "add", machine.name)
            made.append(machine)
            _ip("link", "add", machine.cable, "type", "veth", "peer", "name", "eth0", "netns", machine.name)
            _ip("addr", "add", f"{gateway}/30", "dev", machine.cable)
            _ip("link", "set", machine.cable, "up")
            for words in (("addr", "add", f"{address}/30", "dev", "eth0"), *(("link", "set", n, "up") for n in _BOTH)):
                _ip("-n", machine.name, *words)
        yield made
    finally:
        for machine in made:
            for process in machine.processes:
                process.kill()
                process.wait()
            for server in machine.forwards.values():
                server.shutdown()
                server.server_close()
            subprocess.run(["ip", "link", "del", machine.cable], capture_output=True, check=False)
            subprocess.run(["ip", "netns", "del", machine.name], capture_output=True, check=False)


_BOTH = ("lo", "eth0")
