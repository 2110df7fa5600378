"""Reading ``multipart/form-data`` as it arrives: parts and their bytes, nothing held but small fields.

The parser is python-multipart's callback API; :class:`Reader` turns its callbacks into a list of steps for each chunk
of the body, and :func:`receive` walks them, so that a file's bytes go on to storage while the next ones are still on
the way.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from pixelmill.errors import PixelmillError

#: Bytes that a form may need beside its files: boundaries, part headers, fields.
SLACK = 1024 * 1024
MAX_FIELDS = 20
MAX_FIELD_BYTES = 256 * 1024
MAX_HEADERS = 12
MAX_HEADER_BYTES = 8 * 1024

# It warns of every malformed body; the caller is told instead, and a log is not to be filled from outside.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Part:
    """A part begins. ``filename`` is the client's word for it: None for a field."""

    name: str
    filename: str | None


class End:
    """A part ends."""


Step = Part | memoryview | End


class File(Protocol):
    """Takes the bytes of one file, and never raises for what they are."""

    async def write(self, data: bytes | memoryview) -> None: ...

    async def close(self) -> None: ...


class Sink(Protocol):
    """Takes the files of one form, in order. Raises PixelmillError ``too-many-files``."""

    async def file(self, name: str) -> File: ...


def _bad(detail: str) -> PixelmillError:
    return PixelmillError("bad-request", detail)


@lru_cache(maxsize=64)
def boundary(content_type: str | None) -> bytes:
    """The boundary that a Content-Type names.

    Raises PixelmillError ``unsupported-media-type``, or ``bad-request`` when there is no usable boundary. It is asked
    for before the body is read, and then to read it.
    """
    kind, options = parse_options_header((content_type or "").encode("latin-1", "replace"))
    if kind != b"multipart/form-data":
        raise PixelmillError("unsupported-media-type")
    found = options.get(b"boundary", b"")
    if not 1 <= len(found) <= 70:
        raise _bad("Content-Type has no usable boundary.")
    return found


class Reader:
    """Turns chunks of a body into steps. Raises PixelmillError ``bad-request`` for what is not multipart."""

    def __init__(self, content_type: str | None) -> None:
        self._steps: list[Step] = []
        self._header = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._ended = False
        self._parser = MultipartParser(
            boundary(content_type),
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_header,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )

    def feed(self, chunk: bytes) -> list[Step]:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _bad(f"The body is not valid multipart/form-data: {error}.") from error
        steps, self._steps = self._steps, []
        return steps

    def finish(self) -> None:
        """The body is over. Raises PixelmillError ``bad-request`` when its last boundary never came."""
        if not self._ended:
            raise _bad("The body ends before its last boundary.")

    def _begin(self) -> None:
        self._headers = {}

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _on_headers(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if kind != b"form-data" or b"name" not in options:
            raise _bad("A part has no Content-Disposition: form-data with a name.")
        if self._headers.get(b"content-transfer-encoding", b"binary").strip().lower() not in _PLAIN:
            raise _bad("A part has a Content-Transfer-Encoding; send the bytes as they are.")
        filename = options.get(b"filename")
        if filename is None:
            filename = _extended(self._headers[b"content-disposition"])
        self._steps.append(Part(_text(options[b"name"]), None if filename is None else _text(filename)))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._steps.append(memoryview(data)[start:end])

    def _on_part_end(self) -> None:
        self._steps.append(End())

    def _on_end(self) -> None:
        self._ended = True


_PLAIN = (b"binary", b"8bit", b"7bit", b"")


def _text(value: bytes) -> str:
    """Browsers and curl send UTF-8, old clients Latin-1; quotes and line ends come percent-coded (WHATWG HTML)."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def _extended(disposition: bytes) -> bytes | None:
    """``filename*=UTF-8''…`` (RFC 5987): forbidden in forms by RFC 7578, and yet sent by older Python clients."""
    _, found, value = disposition.partition(b"filename*=")
    if not found:
        return None
    charset, quote, rest = value.partition(b"'")
    _, quote, coded = rest.partition(b"'")
    if not quote or charset.strip().lower() != b"utf-8":
        return None
    return unquote_to_bytes(coded.partition(b";")[0].strip())


async def receive(
    body: AsyncIterator[bytes],
    content_type: str | None,
    sink: Sink,
    *,
    field: str,
    allowed: frozenset[str],
    most_bytes: int,
) -> dict[str, str]:
    """Read a whole form: files named ``field`` go to ``sink``, the small fields that are ``allowed`` are returned.

    ``most_bytes`` bounds the body. Raises PixelmillError: `bad-request` with the reason, `unsupported-media-type`,
    `too-large-request`, and what ``sink`` or ``body`` raises; a file that was being written then stays unclosed, for
    the sink's owner to throw away.
    """
    reader = Reader(content_type)
    form = _Form(sink, field, allowed)
    left = most_bytes
    async for chunk in body:
        left -= len(chunk)
        if left < 0:
            raise PixelmillError("too-large-request", f"The request is larger than {most_bytes} bytes.")
        for step in reader.feed(chunk):
            await form.take(step)
    reader.finish()
    return form.fields


class _Form:
    """Where each step of the body goes."""

    def __init__(self, sink: Sink, field: str, allowed: frozenset[str]) -> None:
        self.fields: dict[str, str] = {}
        self._sink = sink
        self._field = field
        self._allowed = allowed
        self._part: Part | None = None
        self._file: File | None = None
        self._value = bytearray()

    async def take(self, step: Step) -> None:
        if isinstance(step, memoryview):
            await self._data(step)
        elif isinstance(step, Part):
            self._begin(step)
        else:
            await self._end()

    def _begin(self, part: Part) -> None:
        self._part = part
        self._value.clear()
        if part.name == self._field:
            return
        if part.filename is not None:
            raise _bad(f"Unexpected file field {part.name[:100]!r}; send files in `{self._field}`.")
        if part.name not in self._allowed:
            raise _bad(f"Unknown field {part.name[:100]!r}; there are: {', '.join(sorted(self._allowed))}.")
        if part.name in self.fields:
            raise _bad(f"The field {part.name!r} is given twice.")
        if len(self.fields) == MAX_FIELDS:
            raise _bad(f"More than {MAX_FIELDS} fields.")

    async def _data(self, data: memoryview) -> None:
        assert self._part is not None
        if self._part.name == self._field:
            if self._file is None:
                self._file = await self._sink.file(self._part.filename or "")
            await self._file.write(data)
        else:
            self._value += data
            if len(self._value) > MAX_FIELD_BYTES:
                raise _bad(f"The field {self._part.name!r} is larger than {MAX_FIELD_BYTES} bytes.")

    async def _end(self) -> None:
        part = self._part
        assert part is not None
        self._part = None
        if part.name != self._field:
            try:
                self.fields[part.name] = self._value.decode()
            except UnicodeDecodeError as error:
                raise _bad(f"The field {part.name!r} is not UTF-8.") from error
        elif self._file is not None:
            await self._file.close()
            self._file = None
        elif part.filename:
            # An empty file is refused with a reason; a form in which no file was chosen has an empty name.
            await (await self._sink.file(part.filename)).close()


def declared(headers: Mapping[str, str], most_bytes: int) -> None:
    """Refuse by Content-Length, before a byte is read. Raises PixelmillError ``too-large-request``."""
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > most_bytes:
        raise PixelmillError("too-large-request", f"The request is larger than {most_bytes} bytes.")
