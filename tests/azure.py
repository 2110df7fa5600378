"""Azurite, Microsoft's stand-in for Azure Blob, where `make tools` could install it."""

from __future__ import annotations

import base64
import hmac
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate

import pytest

from tests.servers import LOOPBACK, MODULES, find_program, folder_for, free_port, running

#: The account that every Azurite has; its documentation prints the key.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True)
class Azurite:
    endpoint: str
    container: str = "pixelmill-test"

    def env(self) -> dict[str, str]:
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            "AZURE_STORAGE_ENDPOINT": self.endpoint,
        }

    def make_container(self) -> None:
        """By the REST call "Create Container" with a Shared Key, as its documentation describes it."""
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
        named = "".join(f"{name}:{value}\n" for name, value in headers.items())
        resource = f"/{ACCOUNT}/{ACCOUNT}/{self.container}\nrestype:container"
        digest = hmac.digest(base64.b64decode(KEY), ("PUT" + "\n" * 12 + named + resource).encode(), "sha256")
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
        url = f"{self.endpoint}/{self.container}?restype=container"
        urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers), timeout=30).close()


@contextmanager
def azurite_server() -> Iterator[Azurite]:
    program = MODULES / ".bin" / "azurite-blob"
    if not program.exists():
        pytest.skip("Azurite is not on this machine: see `make tools`")
    port = free_port()
    with folder_for("azurite") as folder:
        options = ["--silent", "--blobHost", LOOPBACK, "--blobPort", str(port), "--location", str(folder)]
        with running(
            [find_program("node"), str(program), *options, "--skipApiVersionCheck", "--disableTelemetry"], port, folder
        ):
            server = Azurite(f"http://{LOOPBACK}:{port}/{ACCOUNT}")
            server.make_container()
            yield server
