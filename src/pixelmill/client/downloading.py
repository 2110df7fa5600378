"""Results to disk: beside their place first, taken up where a line broke, moved into place when whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from email.message import Message
from pathlib import Path
from typing import BinaryIO, TypeAlias
from urllib.parse import unquote

from pixelmill.client.errors import ConnectionLost, Incomplete
from pixelmill.client.retrying import Policy, ask
from pixelmill.client.shapes import Batch, Image, Variant
from pixelmill.client.steps import Call, Do, Dropped, Emit, Reply, Sleep, Steps, read

#: What a batch, an image or a variant is named by.
What: TypeAlias = Batch | Image | Variant

#: No file name may hold these on one system or another.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
#: How the name of a file ends that is not whole yet.
PART = ".part"

_CODED = re.compile(r"filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE)


class Names:
    """Gives each file of one download a name that no other has, also where upper and lower case are the same."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def free(self, name: str) -> str:
        stem, dot, suffix = name.rpartition(".")
        if not stem:
            stem, dot, suffix = name, "", ""
        number, found = 2, name
        while found.casefold() in self._given:
            found, number = f"{stem} ({number}){dot}{suffix}", number + 1
        self._given.add(found.casefold())
        return found


def variants(what: What | Iterable[What]) -> list[Variant]:
    """All that is completed, in the order of the files and of the recipe."""
    if isinstance(what, Variant):
        return [what] if what.url else []
    if isinstance(what, Image):
        return [one for one in what.variants if one.url]
    parts: Iterable[What] = what.files if isinstance(what, Batch) else what
    return [one for part in parts for one in variants(part)]


def download(policy: Policy, what: What | Iterable[What], folder: Path, names: Names) -> Steps[list[Path]]:
    """Every result of ``what`` into ``folder``; the files in order. Emits (variant, path) after each."""
    made = []
    yield Do(lambda: folder.mkdir(parents=True, exist_ok=True))
    for variant in variants(what):
        assert variant.url is not None
        path = yield from fetch(policy, variant.url, folder, lambda reply: names.free(filename(reply)), variant.bytes)
        made.append(path)
        yield Emit((variant, path))
    return made


def archive(policy: Policy, batch_id_path: str, target: Path, partial: bool) -> Steps[Path]:
    """The ZIP of a batch as ``target``. It is made while it is sent, so after a break it is sent from its start."""
    yield Do(lambda: target.parent.mkdir(parents=True, exist_ok=True))
    return (
        yield from fetch(
            policy,
            f"{batch_id_path}/archive",
            target.parent,
            lambda reply: target.name,
            None,
            {"partial": "true"} if partial else {},
        )
    )


def fetch(
    policy: Policy,
    url: str,
    folder: Path,
    place: Callable[[Reply], str],
    expected: int | None,
    params: dict[str, str] | None = None,
) -> Steps[Path]:
    """The bytes at ``url``, into ``folder`` under the name that ``place`` gives.

    What came before the line broke, or before the last download was given up, is kept in a hidden file beside it, and
    only the rest is asked for, as long as the bytes are the same (`If-Range` with their ETag). Raises Incomplete when
    their number is not the one told.
    """
    stem = f".{hashlib.sha256(url.partition('?')[0].encode()).hexdigest()[:16]}."
    tag, have = yield Do(lambda: _kept(folder, stem, expected))
    target: Path | None = None
    failures = 0
    while True:
        ranged = {"Range": f"bytes={have}-", "If-Range": tag} if have else {}
        # Encoded, the length would be that of other bytes.
        call = Call("GET", url, params or {}, {"Accept-Encoding": "identity"} | ranged, stream=True)
        reply = yield from ask(policy, call)
        target = target or folder / place(reply)
        have = have if _continues(reply, have) else 0
        tag = _strong(reply.headers.get("etag", ""))
        part = folder / f"{stem}{tag.encode().hex()}{PART}"
        whole = have + int(reply.headers["content-length"]) if "content-length" in reply.headers else expected
        before, why, over = have, "", False
        out: BinaryIO = yield Do(_opening(part, have))
        try:
            while chunk := (yield from read()):
                yield Do(_writing(out, chunk))
                have += len(chunk)
            over = whole is None or have >= whole
        except Dropped as drop:
            why = str(drop)
        finally:
            out.close()
        if over:
            break
        failures = 0 if have > before and tag else failures + 1
        if failures > policy.retries:
            raise ConnectionLost(f"GET {url}: {why or 'the answer was cut short'}")
        have = have if tag else 0
        yield Sleep(policy.pause(failures or 1))
    told = whole if expected is None else expected
    if have != told and told is not None:
        yield Do(lambda: _clear(folder, stem))
        raise Incomplete(f"{url}: {have} bytes came, {told} were told.")
    yield Do(lambda: part.replace(target))
    yield Do(lambda: _clear(folder, stem))
    return target


def _kept(folder: Path, stem: str, expected: int | None) -> tuple[str, int]:
    """The ETag of what an earlier download left, and how many bytes."""
    for part in folder.glob(f"{stem}*{PART}"):
        try:
            tag = bytes.fromhex(part.name[len(stem) : -len(PART)]).decode()
        except ValueError:
            continue
        have = part.stat().st_size
        if tag and have and (expected is None or have < expected):
            return tag, have
    return "", 0


def _clear(folder: Path, stem: str) -> None:
    for part in folder.glob(f"{stem}*{PART}"):
        part.unlink(missing_ok=True)


def _strong(tag: str) -> str:
    """An ETag that stands for the very bytes, and fits a file name."""
    return "" if tag.startswith("W/") or len(tag) > 100 else tag


def _continues(reply: Reply, have: int) -> bool:
    return reply.status == 206 and reply.headers.get("content-range", "").startswith(f"bytes {have}-")


def _opening(part: Path, have: int) -> Callable[[], BinaryIO]:
    def opening() -> BinaryIO:
        out = part.open("r+b" if have else "wb")
        out.truncate(have)
        out.seek(have)
        return out

    return opening


def _writing(out: BinaryIO, chunk: bytes) -> Callable[[], int]:
    return lambda: out.write(chunk)


def filename(reply: Reply) -> str:
    """The name that the service gives the file, as one that can be nowhere but in the folder."""
    told = reply.headers.get("content-disposition", "")
    if coded := _CODED.search(told):  # RFC 6266: it goes before the plain one, which the standard library prefers
        name = unquote(coded[1], "utf-8", "replace")
    else:
        header = Message()
        header["content-disposition"] = told
        name = header.get_filename("image")
    return _FORBIDDEN.sub("_", name).strip(" .")[:200] or "image"
