"""Requests to addresses that somebody else gave us: sources to fetch, webhooks to call.

Only public addresses are called. A name is resolved once, its addresses are checked, and the connection goes to the
very address that was checked, while Host, SNI and the certificate stay those of the name: a name server that changes
its answer in between (DNS rebinding) gains nothing. Every redirect is a request of its own and passes here again.
What is private on purpose is allowed by name, with ``PIXELMILL_ALLOW_HOSTS``.

Behind an egress proxy (``PIXELMILL_EGRESS_PROXY``) it is the proxy that resolves and connects. What is private by its
text, or by what our own resolver says, is refused before the proxy is asked; for the rest the proxy has to.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import TYPE_CHECKING

import httpx

from pixelmill import __version__
from pixelmill.errors import PixelmillError

if TYPE_CHECKING:
    from pixelmill.settings import Settings

Address = IPv4Address | IPv6Address
#: Looks a host name up: its addresses, as text, in the order to be tried.
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

SCHEMES = ("http", "https")
MAX_URL = 2000
MAX_REDIRECTS = 5
CHUNK = 64 * 1024

_V4_EXTRA = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this host; Linux connects 0.0.0.0 to loopback
            "100.64.0.0/10",  # carrier-grade NAT, and some clouds' metadata services
            "192.88.99.0/24",  # 6to4 relays
            "168.63.129.16/32",  # Azure's host agent: public by number, not by nature
        ),
    )
)
#: IANA gives addresses to hosts only from here; mapped, compatible, NAT64 and local addresses all lie outside.
_V6_GLOBAL = IPv6Network("2000::/3")
_V6_EXTRA = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, Teredo (2001::/32) among them
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "3fff::/20",  # documentation
        ),
    )
)


def is_public(address: Address) -> bool:
    """Whether ``address`` is of the public internet, and shows plainly which host it means.

    IPv6 addresses that carry an IPv4 address (mapped, compatible, 6to4, NAT64, Teredo, ISATAP) are not: where they
    lead is decided by a router that we do not know. Ranges: the IANA special-purpose address registries.
    """
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not any(address in net for net in _V4_EXTRA)
    if address not in _V6_GLOBAL or any(address in net for net in _V6_EXTRA) or address.scope_id:
        return False
    # ISATAP (RFC 5214): interface identifier 0000:5efe or 0200:5efe, then an IPv4 address.
    return address.is_global and (int(address) >> 32) & 0xFFFFFFFF not in (0x00005EFE, 0x02005EFE)


def parse(url: str) -> httpx.URL:
    """``url`` as a request would take it. Raises ``address-refused`` unless it is plain absolute http or https."""
    try:
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise PixelmillError("address-refused", "It is no address that can be called.") from None
    if len(url) > MAX_URL or not url.isprintable() or " " in url or "\\" in url:
        raise PixelmillError("address-refused", "It is no address that can be called.")
    if parsed.scheme not in SCHEMES:
        raise PixelmillError("address-refused", "Only http and https addresses are called.")
    if parsed.userinfo:
        raise PixelmillError("address-refused", "An address must not hold a user name.")
    if not host or "%" in host or not 0 < _port(parsed) < 65536:
        raise PixelmillError("address-refused", "It names no host that can be called.")
    return parsed


class Guard:
    """What may be called. ``allowed``: hosts (``name``, ``name:port``, ``*.domain``) that need not be public.

    ``proxy``: address of the HTTP proxy through which all but those are called.
    """

    def __init__(
        self, allowed: Iterable[str] = (), *, resolve: Resolver | None = None, proxy: str | None = None
    ) -> None:
        self.proxy = proxy
        self._allowed = frozenset(_plain(one) for one in allowed)
        self._resolve = resolve or _look_up

    def check(self, url: str) -> httpx.URL:
        """What can be said without asking a name server: for an answer at once when an address is given to us.

        Raises ``address-refused``. The addresses themselves are checked at each request.
        """
        parsed = parse(url)
        host = _plain(parsed.raw_host.decode("ascii"))
        if self._allows(host, _port(parsed)):
            return parsed
        literal = _literal(host)
        if host == "localhost" or host.endswith(".localhost") or (literal and not is_public(literal)):
            raise _refused(host)
        return parsed

    @classmethod
    def of(cls, settings: Settings) -> Guard:
        proxy = settings.egress_proxy
        return cls(settings.allow_hosts, proxy=proxy.get_secret_value() if proxy else None)

    def proxied(self, url: httpx.URL) -> bool:
        """Whether a request to ``url`` goes through the proxy."""
        return self.proxy is not None and not self._allows(_plain(url.raw_host.decode("ascii")), _port(url))

    async def addresses(self, url: httpx.URL) -> list[str]:
        """The addresses that a request to ``url`` may go to. Raises ``address-refused`` or ``source-unavailable``."""
        self.check(str(url))
        host, port = url.raw_host.decode("ascii"), _port(url)
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise PixelmillError("source-unavailable", f"The name {host[:255]!r} has no address.") from None
        if self._allows(_plain(host), port):
            return list(found)
        public = [one for one in found if is_public(ipaddress.ip_address(one))]
        if not public:
            raise _refused(host)
        return public

    def client(self, *, seconds: float, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
        """A client that calls nothing else. It takes no proxy, cookie file or password from the environment.

        ``seconds`` is the longest wait for each step of a request. Redirects are not followed unless asked for.
        """
        return httpx.AsyncClient(
            transport=GuardedTransport(self, transport),
            timeout=seconds,
            max_redirects=MAX_REDIRECTS,
            headers={"User-Agent": f"Pixelmill/{__version__}"},
            trust_env=False,
        )

    async def download(
        self, url: str, *, most_bytes: int, seconds: float, client: httpx.AsyncClient | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The bytes behind ``url``, in chunks; redirects are followed, each checked like the first address.

        Use with :func:`contextlib.aclosing`. ``seconds`` bounds the waiting in all, ``most_bytes`` the body. Raises
        ``address-refused``, ``too-large``, ``source-refused`` (it answered 4xx: trying again cannot help) or
        ``source-unavailable``.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        own = client or self.client(seconds=seconds)
        try:
            async with asyncio.timeout_at(deadline):
                request = own.build_request("GET", parse(url), headers={"Accept": "image/*, */*;q=0.5"})
                # Packed bodies are refused below: a small one may unpack to any size.
                request.headers["Accept-Encoding"] = "identity"
                response = await own.send(request, stream=True, follow_redirects=True)
            try:
                _judge(response, most_bytes)
                got = 0
                chunks = response.aiter_raw(CHUNK)
                while True:
                    # Only our waiting is bounded, not what the caller does with a chunk.
                    async with asyncio.timeout_at(deadline):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        return
                    got += len(chunk)
                    if got > most_bytes:
                        raise PixelmillError("too-large", f"It is larger than {most_bytes} bytes.")
                    yield chunk
            finally:
                await response.aclose()
        except TimeoutError:
            raise PixelmillError("source-unavailable", f"It was not there after {seconds:g} seconds.") from None
        except httpx.TooManyRedirects:
            raise PixelmillError("source-refused", f"It redirects more than {MAX_REDIRECTS} times.") from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL):
            raise PixelmillError("address-refused", "It redirects to what is no http or https address.") from None
        except httpx.HTTPError as error:
            raise PixelmillError("source-unavailable", f"It broke off: {type(error).__name__}.") from error
        finally:
            if client is None:
                await own.aclose()

    def _allows(self, host: str, port: int) -> bool:
        if host in self._allowed or f"{host}:{port}" in self._allowed:
            return True
        labels = host.split(".")
        return any(f"*.{'.'.join(labels[at:])}" in self._allowed for at in range(1, len(labels)))


class GuardedTransport(httpx.AsyncBaseTransport):
    """Resolves, checks, and connects to the address that was checked; one connection for each request.

    A kept connection would be found again by its address alone, also by another name whose certificate nobody then
    looks at.
    """

    def __init__(self, guard: Guard, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._guard = guard
        limits = httpx.Limits(max_keepalive_connections=0)
        self._transport = transport or httpx.AsyncHTTPTransport(limits=limits, trust_env=False)
        self._proxy = (
            httpx.AsyncHTTPTransport(limits=limits, trust_env=False, proxy=guard.proxy) if guard.proxy else None
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        by_proxy = self._proxy if self._guard.proxied(request.url) else None
        try:
            addresses = await self._guard.addresses(request.url)
        except PixelmillError as error:
            # Behind a proxy a name need not have an address here.
            if by_proxy is None or error.code != "source-unavailable":
                raise
        if by_proxy is not None:
            return await by_proxy.handle_async_request(request)
        host = request.url.raw_host.decode("ascii")
        failed: Exception = httpx.ConnectError("no address")
        for address in addresses:
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host.rstrip(".")},
            )
            try:
                return await self._transport.handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = error
        raise failed

    async def aclose(self) -> None:
        await self._transport.aclose()
        if self._proxy is not None:
            await self._proxy.aclose()


#: Lookups run apart from the event loop's own, of which uvloop has four at a time: a name server that a stranger
#: makes slow on purpose cannot keep us from the database's or the store's name.
_RESOLVER = ThreadPoolExecutor(16, "resolver")
LOOK_UP_SECONDS = 10.0


async def _look_up(host: str, port: int) -> list[str]:
    """The addresses of ``host`` by the system's resolver, which also reads 127.1, 0x7f.1 and 2130706433.

    Raises OSError, TimeoutError among them.
    """
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    async with asyncio.timeout(LOOK_UP_SECONDS):
        found = await asyncio.get_running_loop().run_in_executor(_RESOLVER, ask)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _literal(host: str) -> Address | None:
    """The address that ``host`` spells, in any way that a C library reads; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        try:
            return IPv4Address(socket.inet_aton(host))
        except OSError:
            return None


def _judge(response: httpx.Response, most_bytes: int) -> None:
    status = response.status_code
    if 400 <= status < 500 and status not in (408, 425, 429):
        raise PixelmillError("source-refused", f"It answered {status}.")
    if status != 200:
        raise PixelmillError("source-unavailable", f"It answered {status}.")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise PixelmillError("source-refused", "It sends packed bytes although plain ones were asked for.")
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most_bytes:
        raise PixelmillError("too-large", f"It is larger than {most_bytes} bytes.")


def _plain(host: str) -> str:
    return host.lower().replace("[", "").replace("]", "").rstrip(".")


def _port(url: httpx.URL) -> int:
    return url.port if url.port is not None else (443 if url.scheme == "https" else 80)


def _refused(host: str) -> PixelmillError:
    return PixelmillError("address-refused", f"{host[:255]!r} is not on the public internet.")
