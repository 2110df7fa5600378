"""Multipart forms, whole, broken, hostile and random."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelmill.api import multipart
from pixelmill.errors import PixelmillError

TYPE = "multipart/form-data; boundary=frontier"
ALLOWED = frozenset({"preset", "metadata"})


@dataclass
class Taken:
    name: str
    data: bytearray = field(default_factory=bytearray)
    closed: bool = False

    async def write(self, data: bytes | memoryview) -> None:
        assert not self.closed
        self.data += data

    async def close(self) -> None:
        assert not self.closed
        self.closed = True


@dataclass
class Taker:
    most: int = 10
    files: list[Taken] = field(default_factory=list)

    async def file(self, name: str) -> Taken:
        if len(self.files) >= self.most:
            raise PixelmillError("too-many-files")
        self.files.append(Taken(name))
        return self.files[-1]


def part(disposition: str, data: bytes, more: str = "") -> bytes:
    head = f"--frontier\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n"
    return head.encode() + data + b"\r\n"


END = b"--frontier--\r\n"


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def take(
    chunks: Iterable[bytes] | bytes,
    taker: Taker | None = None,
    content_type: str | None = TYPE,
    most_bytes: int = 1 << 20,
) -> tuple[dict[str, str], list[Taken]]:
    taker = taker or Taker()
    fields = await multipart.receive(
        stream([chunks] if isinstance(chunks, bytes) else chunks),
        content_type,
        taker,
        field="images",
        allowed=ALLOWED,
        most_bytes=most_bytes,
    )
    return fields, taker.files


async def refused(chunks: Iterable[bytes] | bytes, code: str = "bad-request", **more: object) -> str:
    with pytest.raises(PixelmillError) as caught:
        await take(chunks, **more)  # type: ignore[arg-type]
    assert caught.value.code == code
    return caught.value.detail


@given(
    files=st.lists(st.tuples(st.text("abcé .jpg", min_size=1, max_size=9), st.binary(max_size=300)), max_size=4),
    preset=st.text(max_size=20).filter(str.isprintable),
    cut=st.integers(1, 97),
)
async def test_files_and_fields_arrive_whole_however_the_body_is_cut(
    files: list[tuple[str, bytes]], preset: str, cut: int
) -> None:
    body = b"".join(part(f'name="images"; filename="{name}"', data) for name, data in files)
    body += part('name="preset"', preset.encode()) + END
    fields, taken = await take([body[at : at + cut] for at in range(0, len(body), cut)])
    assert fields == {"preset": preset}
    assert [(file.name, bytes(file.data)) for file in taken] == files
    assert all(file.closed for file in taken)


@given(st.lists(st.binary(max_size=200), max_size=10))
async def test_arbitrary_bytes_are_a_bad_request_or_a_form(chunks: list[bytes]) -> None:
    try:
        await take(chunks)
    except PixelmillError as error:
        assert error.code == "bad-request"


PIECES = st.sampled_from(
    [
        b"--frontier",
        b"--frontier--",
        b"\r\n",
        b"\r",
        b"\n",
        b"--",
        b"Content-Disposition: form-data",
        b"Content-Disposition:",
        b'; name="images"',
        b'; name="preset"',
        b'; filename="a.jpg"',
        b"; filename*=UTF-8''%ff",
        b"Content-Transfer-Encoding: base64",
        b": ",
        b"\0\xff",
        b'"',
        b"\\",
    ]
)


@given(st.lists(PIECES | st.binary(max_size=5), max_size=40), st.integers(1, 50))
async def test_pieces_of_a_form_in_any_order_are_a_bad_request_or_a_form(pieces: list[bytes], cut: int) -> None:
    body = b"".join(pieces)
    try:
        await take([body[at : at + cut] for at in range(0, len(body), cut)])
    except PixelmillError as error:
        assert error.code in ("bad-request", "too-many-files")


@given(st.text(max_size=60))
def test_any_content_type_has_a_boundary_or_is_refused(content_type: str) -> None:
    for value in (content_type, f"multipart/form-data; boundary={content_type}", f"multipart/form-data;{content_type}"):
        try:
            multipart.Reader(value)
        except PixelmillError as error:
            assert error.code in ("bad-request", "unsupported-media-type")


async def test_names_of_files_are_utf_8_latin_1_or_percent_coded() -> None:
    body = (
        part('name="images"; filename="naïve %22x%22.jpg"', b"1")
        + part('name="images"; filename="', b"").replace(b'filename="\r\n', b'filename="na\xefve.jpg"\r\n')
        + part("name=\"images\"; filename*=UTF-8''na%C3%AFve.jpg", b"3")
        + part('name="images"; filename="C:\\\\photos\\\\x.jpg"', b"4")
        + END
    )
    _, files = await take(body)
    assert [file.name for file in files] == ['naïve "x".jpg', "naïve.jpg", "naïve.jpg", "x.jpg"]


async def test_an_empty_file_is_a_file_and_an_empty_choice_is_none() -> None:
    _, files = await take(part('name="images"; filename="empty.jpg"', b"") + END)
    assert [(file.name, bytes(file.data), file.closed) for file in files] == [("empty.jpg", b"", True)]
    _, files = await take(part('name="images"; filename=""', b"") + END)
    assert files == []


async def test_a_file_without_a_name_is_a_file() -> None:
    _, files = await take(part('name="images"', b"abc") + END)
    assert [(file.name, bytes(file.data)) for file in files] == [("", b"abc")]


async def test_what_is_wrong_is_told() -> None:
    one = part('name="images"; filename="a.jpg"', b"abc")
    assert "`images`" in await refused(part('name="photo"; filename="a.jpg"', b"abc") + END)
    assert "'pre'" in await refused(part('name="pre"', b"web") + END)
    assert "twice" in await refused(part('name="preset"', b"a") * 2 + END)
    assert "UTF-8" in await refused(part('name="preset"', b"\xff") + END)
    assert "larger" in await refused(part('name="metadata"', b"x" * 300_000) + END)
    assert "last boundary" in await refused(one)
    assert "last boundary" in await refused(b"")
    assert "not valid" in await refused(b"hello")
    assert "with a name" in await refused(b"--frontier\r\n\r\nabc\r\n" + END)
    assert "Transfer-Encoding" in await refused(
        part('name="images"; filename="a"', b"YQ==", "Content-Transfer-Encoding: base64\r\n") + END
    )
    assert "Maximum header" in await refused(part('name="images"', b"", f"X: {'y' * 9000}\r\n") + END)


async def test_another_content_type_is_unsupported() -> None:
    for content_type in (None, "", "application/json", "multipart/mixed; boundary=frontier"):
        await refused(END, "unsupported-media-type", content_type=content_type)
    for content_type in ("multipart/form-data", "multipart/form-data; boundary=", f"{TYPE}{'x' * 70}"):
        assert "boundary" in await refused(END, content_type=content_type)


async def test_one_file_too_many_and_one_byte_too_many() -> None:
    one = part('name="images"; filename="a.jpg"', b"abc")
    body = one * 3 + END
    await refused(body, "too-many-files", taker=Taker(most=2))
    assert (await take(body, most_bytes=len(body)))[1]
    await refused(body, "too-large-request", most_bytes=len(body) - 1)


async def test_a_declared_length_is_refused_before_a_byte_is_read() -> None:
    multipart.declared({"content-length": "10"}, 10)
    multipart.declared({}, 10)
    multipart.declared({"content-length": "nonsense"}, 10)
    with pytest.raises(PixelmillError, match="too-large-request"):
        multipart.declared({"content-length": "11"}, 10)


async def test_bytes_are_handed_on_as_they_come() -> None:
    taker = Taker()

    async def body() -> AsyncIterator[bytes]:
        yield part('name="images"; filename="a.jpg"', b"x" * 1000)[:-2]
        assert len(taker.files[0].data) >= 990
        yield b"\r\n" + END

    await multipart.receive(body(), TYPE, taker, field="images", allowed=ALLOWED, most_bytes=10_000)
    assert bytes(taker.files[0].data) == b"x" * 1000
