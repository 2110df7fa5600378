"""A whole Ceph on this machine: one monitor, one OSD on a sparse file, and its S3 gateway. Needs root and Debian's
packages `radosgw`, `ceph-osd` and `ceph-mon`; ready in about 20 seconds."""

from __future__ import annotations

import shutil
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.servers import LOOPBACK, PATIENCE, S3, folder_for, free_port, running, wait_until

PROGRAMS = ("radosgw", "radosgw-admin", "ceph-osd", "ceph-mon", "ceph", "ceph-authtool", "monmaptool")
BUCKET, ACCESS, SECRET = "pixelmill-test", "testkey", "testsecret123"

# One copy of everything; what is deleted is collected soon, for the file is not large.
_CONFIG = """[global]
fsid = {fsid}
mon host = [v2:{host}:{v2},v1:{host}:{v1}]
public addr = {host}
cluster addr = {host}
ms bind ipv6 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
osd pool default pg num = 8
osd pool default pgp num = 8
mon max pg per osd = 1000
mon data avail warn = 1
mon data avail crit = 1
run dir = {folder}/run
log file = {folder}/log/$name.log
admin socket = {folder}/run/$name.asok
keyring = {folder}/keyring
osd objectstore = bluestore
bluestore block size = 21474836480
bluestore block create = true
bluestore block db create = false
bluestore block wal create = false
osd memory target = 939524096
debug ms = 0
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
[client.rgw.a]
rgw data = {folder}/rgw
rgw frontends = beast endpoint={host}:{port}
rgw thread pool size = 32
rgw gc obj min wait = 5
rgw gc processor period = 10
rgw gc processor max time = 10
"""


@contextmanager
def ceph() -> Iterator[S3]:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise RuntimeError(f"Ceph is not on this machine ({', '.join(missing)}): see CONTRIBUTING.md")
    port, v1, v2 = free_port(), free_port(), free_port()
    with ExitStack() as stack:
        folder = stack.enter_context(folder_for("ceph"))
        for name in ("mon", "osd", "rgw", "run", "log"):
            (folder / name).mkdir()
        config = folder / "ceph.conf"
        fsid = str(uuid.uuid4())
        config.write_text(_CONFIG.format(folder=folder, fsid=fsid, host=LOOPBACK, v1=v1, v2=v2, port=port))
        _start(stack, folder, config, fsid, port, v1, v2)
        admin = ["radosgw-admin", "-c", config, "user", "create", "--uid=test", "--display-name=test"]
        _run(*admin, f"--access-key={ACCESS}", f"--secret-key={SECRET}")
        _make_bucket(f"http://{LOOPBACK}:{port}")
        yield S3(f"http://{LOOPBACK}:{port}", BUCKET, ACCESS, SECRET)


def _start(stack: ExitStack, folder: Path, config: Path, fsid: str, port: int, v1: int, v2: int) -> None:
    keyring, everything = folder / "keyring", ["--cap", "mon", "allow *", "--cap", "osd", "allow *"]
    _run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
    _run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *everything)
    address = f"[v2:{LOOPBACK}:{v2},v1:{LOOPBACK}:{v1}]"
    _run("monmaptool", "--create", "--addv", "a", address, "--fsid", fsid, folder / "monmap")
    _run("ceph-mon", "-c", config, "-i", "a", "--mkfs", "--monmap", folder / "monmap", "--keyring", keyring)
    stack.enter_context(running(["ceph-mon", "-c", config, "-i", "a", "-f"], v1, folder))
    client = ["ceph", "-c", config, "--connect-timeout", "30"]
    for name in ("osd.0", "client.rgw.a"):
        made = _run(*client, "auth", "get-or-create", name, "mon", "allow *", "osd", "allow *")
        with keyring.open("a") as file:
            file.write(made)
    identity = str(uuid.uuid4())
    _run(*client, "osd", "new", identity)
    _run("ceph-osd", "-c", config, "-i", "0", "--mkfs", "--osd-uuid", identity)
    # It listens on ports of its own choice: that it is up is asked of the monitor.
    stack.enter_context(running(["ceph-osd", "-c", config, "-i", "0", "-f"], v1, folder))
    wait_until(lambda: "1 up" in _run(*client, "osd", "stat"), "Ceph's OSD", PATIENCE)
    _run(*client, "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=localhost")
    stack.enter_context(running(["radosgw", "-c", config, "-n", "client.rgw.a", "-f"], port, folder))


def _make_bucket(endpoint: str) -> None:
    from pixelmill.storage.sigv4 import Signer

    url = Signer(f"{endpoint}/{BUCKET}", BUCKET, "us-east-1", ACCESS, SECRET).presign("PUT", "", seconds=60)
    urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=30).close()


def _run(*command: str | Path) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
    done.check_returncode()
    return done.stdout
