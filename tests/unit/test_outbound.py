"""Nothing private is ever called, however it is written, resolved or redirected to."""

from __future__ import annotations

import asyncio
import ipaddress
import shlex
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from pixelmill import outbound
from pixelmill.errors import PixelmillError
from pixelmill.outbound import Guard, GuardedTransport, is_public, parse
from pixelmill.settings import Settings

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # compatible
    "::8.8.8.8",
    "::ffff:127.0.0.1",  # mapped
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",  # translated (SIIT)
    "64:ff9b::127.0.0.1",  # NAT64
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::10.0.0.1",
    "100::1",
    "2001::1",  # Teredo
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4
    "2002:808:808::1",
    "2606:4700::5efe:7f00:1",  # ISATAP
    "2606:4700::200:5efe:a00:1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fe80::5efe:7f00:1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "2606:4700:4700::1111", "2001:4860:4860::8888"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


UNUSABLE = [
    "",
    "/relative",
    "//example.com/x",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "data:image/png;base64,AA",
    "javascript:alert(1)",
    "http://",
    "http:///path",
    "http://user@example.com/",
    "http://user:secret@example.com/",
    "http://example.com@127.0.0.1/",
    "http://example.com:0/",
    "http://example.com:99999/",
    "http://exa mple.com/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com/\r\nX-Evil: 1",
    "http://example.com/\x00",
    "http://[::1",
    "http://[fe80::1%25eth0]/",
    "http://a%00b/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://example.com/" + "a" * 2000,
]


@pytest.mark.parametrize("url", UNUSABLE)
def test_what_is_no_address_to_call(url: str) -> None:
    with pytest.raises(PixelmillError, match="address-refused"):
        parse(url)


SPELLED = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0x7f.1/",
    "http://0x7f000001/",
    "http://0/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://localhost/",
    "http://localhost./",
    "http://LOCALHOST/",
    "http://a.localhost/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",
]


@pytest.mark.parametrize("url", SPELLED)
async def test_however_a_private_address_is_spelled(url: str) -> None:
    guard = Guard()
    with pytest.raises(PixelmillError, match="address-refused"):
        guard.check(url)
    with pytest.raises(PixelmillError, match="address-refused"):
        await guard.addresses(parse(url))


async def test_the_systems_resolver_is_not_believed_either() -> None:
    """Without the check of the text: what getaddrinfo makes of these is loopback, and is refused as such."""
    for name in ("127.1", "0x7f.1", "2130706433", "localhost"):
        guard = Guard()
        guard.check = parse  # type: ignore[method-assign]
        with pytest.raises(PixelmillError, match="address-refused"):
            await guard.addresses(httpx.URL(f"http://{name}/"))


async def test_slow_name_servers_hold_up_no_other_lookup_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ask, asked, go_on = socket.getaddrinfo, threading.Semaphore(0), threading.Event()

    def slow(host: str, *arguments: Any, **named: Any) -> Any:
        if host.endswith(".example"):
            asked.release()
            assert go_on.wait(60)
            raise OSError("no such name")
        return ask(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(outbound, "LOOK_UP_SECONDS", 0.05)
    guard = Guard()
    urls = [httpx.URL(f"http://slow-{number}.example/") for number in range(100)]
    try:
        answers = await asyncio.gather(*map(guard.addresses, urls), return_exceptions=True)
        assert {getattr(answer, "code", answer) for answer in answers} == {"source-unavailable"}
        loop = asyncio.get_running_loop()
        assert await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
        assert await asyncio.to_thread(lambda: "free") == "free"
    finally:
        go_on.set()
    held = 0
    while asked.acquire(blocking=False):
        held += 1
    assert 0 < held < 100


def answering(*answers: list[str]) -> Callable[[str, int], Awaitable[list[str]]]:
    """A name server that gives one answer after the other, the last one for ever."""
    left = list(answers)

    async def resolve(host: str, port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


async def test_of_several_addresses_only_public_ones_are_called() -> None:
    guard = Guard(resolve=answering(["10.0.0.1", "1.1.1.1", "::1"]))
    assert await guard.addresses(httpx.URL("http://mixed.example/")) == ["1.1.1.1"]


class Recorder(httpx.AsyncBaseTransport):
    """Notes where a request would connect to."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.seen: list[httpx.Request] = []
        self.answers = list(answers)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        answer = self.answers.pop(0) if self.answers else httpx.Response(200)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """Rebinding: the name server says something public first and something private from then on."""
    recorder = Recorder()
    guard = Guard(resolve=answering(["1.1.1.1"], ["127.0.0.1"]))
    async with guard.client(seconds=5, transport=recorder) as client:
        await client.get("https://rebind.example:8443/path?x=1")
        with pytest.raises(PixelmillError, match="address-refused"):
            await client.get("https://rebind.example:8443/path?x=1")
    (request,) = recorder.seen
    assert str(request.url) == "https://1.1.1.1:8443/path?x=1"
    assert request.headers["host"] == "rebind.example:8443"
    assert request.extensions["sni_hostname"] == "rebind.example"


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    recorder = Recorder(httpx.ConnectError("no route"), httpx.Response(204))
    guard = Guard(resolve=answering(["2606:4700::1111", "1.1.1.1"]))
    async with guard.client(seconds=5, transport=recorder) as client:
        assert (await client.get("http://two.example/")).status_code == 204
    assert [request.url.host for request in recorder.seen] == ["2606:4700::1111", "1.1.1.1"]


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1/", "http://private.example/", "https://a:b@two.example/", "file:///etc/passwd", "//[::1]/"],
)
async def test_a_redirect_is_checked_again(target: str) -> None:
    recorder = Recorder(httpx.Response(302, headers={"Location": target}))

    async def resolve(host: str, port: int) -> list[str]:
        return ["10.0.0.1"] if host == "private.example" else ["1.1.1.1"]

    guard = Guard(resolve=resolve)
    async with guard.client(seconds=5, transport=recorder) as client:
        with pytest.raises(PixelmillError, match="address-refused"):
            await fetched(guard, "http://one.example/", client=client)
    assert len(recorder.seen) == 1


def test_what_is_allowed_by_name() -> None:
    guard = Guard(["store.internal", "*.svc.local", "127.0.0.1:9000", "[::1]"])
    for url in (
        "http://store.internal/",
        "http://STORE.internal.:81/",
        "http://a.b.svc.local/",
        "http://127.0.0.1:9000/",
        "http://[::1]:5/",
    ):
        guard.check(url)
    for url in ("http://127.0.0.1/", "http://127.0.0.1:9001/", "http://2130706433:9000/", "http://[::2]/"):
        with pytest.raises(PixelmillError, match="address-refused"):
            guard.check(url)


async def test_names_are_allowed_not_what_they_look_like() -> None:
    guard = Guard(["store.internal", "*.svc.local"], resolve=answering(["10.0.0.1"]))
    assert await guard.addresses(httpx.URL("http://store.internal/")) == ["10.0.0.1"]
    for name in ("evilstore.internal", "store.internal.example", "svc.local", "xsvc.local"):
        with pytest.raises(PixelmillError, match="address-refused"):
            await guard.addresses(httpx.URL(f"http://{name}/"))


class Saying(asyncio.Protocol):
    """Says ``answer`` to a request, and closes after ``wait`` seconds."""

    def __init__(self, answer: bytes, wait: float) -> None:
        self.answer = answer
        self.wait = wait

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.answer)
        asyncio.get_running_loop().call_later(self.wait, self.transport.close)


@asynccontextmanager
async def serving(answer: bytes, context: ssl.SSLContext | None = None, wait: float = 0) -> AsyncIterator[int]:
    """A server that says ``answer`` to every request; its port."""
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: Saying(answer, wait), "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def fetched(guard: Guard, url: str, most: int = 1000, seconds: float = 5, **more: httpx.AsyncClient) -> bytes:
    async with aclosing(guard.download(url, most_bytes=most, seconds=seconds, **more)) as chunks:
        return b"".join([chunk async for chunk in chunks])


HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


async def test_a_download() -> None:
    async with serving(HELLO) as port:
        assert await fetched(Guard(["127.0.0.1"]), f"http://127.0.0.1:{port}/") == b"hello"
        with pytest.raises(PixelmillError, match="address-refused"):
            await fetched(Guard(), f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "source-refused"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "source-unavailable"),
        (b"HTTP/1.1 204 Nothing\r\n\r\n", "source-unavailable"),
        (b"HTTP/1.1 429 Slowly\r\nContent-Length: 0\r\n\r\n", "source-unavailable"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", "too-large"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1001), "too-large"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", "source-refused"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", "source-unavailable"),
        (b"nonsense\r\n\r\n", "source-unavailable"),
        (b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n", "source-refused"),
    ],
)
async def test_what_a_source_answers(answer: bytes, code: str) -> None:
    async with serving(answer) as port:
        with pytest.raises(PixelmillError) as caught:
            await fetched(Guard(["127.0.0.1"]), f"http://127.0.0.1:{port}/")
    assert caught.value.code == code


async def test_a_source_that_trickles_is_given_up() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", wait=30) as port:
        with pytest.raises(PixelmillError, match="source-unavailable"):
            await fetched(Guard(["127.0.0.1"]), f"http://127.0.0.1:{port}/", seconds=0.2)


async def test_a_name_that_nobody_knows() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(PixelmillError, match="source-unavailable"):
        await fetched(Guard(resolve=resolve), "http://nobody.example/")


class Answering(Saying):
    """A proxy that answers for everybody, builds no tunnel, and notes what it was asked for."""

    def __init__(self, asked: list[str]) -> None:
        super().__init__(HELLO, 0)
        self.asked = asked

    def data_received(self, data: bytes) -> None:
        line = data.decode().partition("\r\n")[0]
        self.asked.append(line)
        if line.startswith("CONNECT "):
            self.answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
        super().data_received(data)


@asynccontextmanager
async def proxying() -> AsyncIterator[tuple[str, list[str]]]:
    """The address of a proxy, and the first line of each request that it got."""
    asked: list[str] = []
    async with await asyncio.get_running_loop().create_server(lambda: Answering(asked), "127.0.0.1", 0) as server:
        yield f"http://me:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def nobody_knows(host: str, port: int) -> list[str]:
    raise OSError("no such name")


async def test_behind_a_proxy_it_is_the_proxy_that_looks_names_up() -> None:
    async with proxying() as (proxy, asked):
        guard = Guard(proxy=proxy, resolve=nobody_knows)
        assert await fetched(guard, "http://pictures.example/a.jpg?x=1") == b"hello"
        with pytest.raises(PixelmillError, match="source-unavailable"):
            await fetched(guard, "https://pictures.example/a.jpg")
    assert asked == ["GET http://pictures.example/a.jpg?x=1 HTTP/1.1", "CONNECT pictures.example:443 HTTP/1.1"]


@pytest.mark.parametrize("url", [*SPELLED, "http://private.example/", "http://rebound.example/", "ftp://a.example/"])
async def test_behind_a_proxy_nothing_more_is_called_that_is_known_to_be_private(url: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return {"private.example": ["10.0.0.1"], "rebound.example": ["::ffff:127.0.0.1", "127.0.0.1"]}[host]

    async with proxying() as (proxy, asked):
        with pytest.raises(PixelmillError, match="address-refused"):
            await fetched(Guard(proxy=proxy, resolve=resolve), url)
    assert asked == []


async def test_hosts_that_are_allowed_are_called_without_the_proxy() -> None:
    async with proxying() as (proxy, asked), serving(HELLO) as port:
        guard = Guard(["store.internal"], proxy=proxy, resolve=answering(["127.0.0.1"]))
        assert await fetched(guard, f"http://store.internal:{port}/") == b"hello"
    assert asked == []


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxying() as (proxy, asked), serving(HELLO) as port:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        assert await fetched(Guard(["127.0.0.1"]), f"http://127.0.0.1:{port}/") == b"hello"
    assert asked == []


def test_the_settings_name_the_proxy() -> None:
    def guard(**values: Any) -> Guard:
        return Guard.of(Settings(_env_file=None, **values))  # type: ignore[call-arg]

    assert guard().proxy is None
    assert guard(egress_proxy="http://me:secret@proxy:3128").proxy == "http://me:secret@proxy:3128"
    for wrong in ("proxy:3128", "socks5://proxy:1080", "http://", "http:///x"):
        with pytest.raises(ValidationError, match="http://host:port") as caught:
            guard(egress_proxy=wrong)
        assert caught.value.error_count() == 1


async def test_the_certificate_is_of_the_name_though_the_connection_goes_to_the_address(tmp_path: Path) -> None:
    subprocess.run(
        shlex.split(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout key.pem "
            "-out cert.pem -subj /CN=good.example -addext subjectAltName=DNS:good.example"
        ),
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    trust = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    asked: list[str | None] = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    guard = Guard(["good.example", "bad.example"], resolve=answering(["127.0.0.1"]))
    transport = httpx.AsyncHTTPTransport(verify=trust, limits=httpx.Limits(max_keepalive_connections=0))
    async with (
        serving(HELLO, context) as port,
        httpx.AsyncClient(transport=GuardedTransport(guard, transport), trust_env=False) as client,
    ):
        assert (await client.get(f"https://good.example:{port}/")).text == "hello"
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(f"https://bad.example:{port}/")
    assert asked == ["good.example", "bad.example"]
