"""The socket that a service listens on, made by itself or by whoever started it."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from pixelmill.errors import PixelmillError

LISTEN_FD = "PIXELMILL_LISTEN_FD"
BACKLOG = 1024


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; raises PixelmillError when the address is taken or not ours. Port 0: any free one."""
    inherited = os.environ.pop(LISTEN_FD, None)
    sock: socket.socket | None = None
    if inherited is not None:
        sock = socket.socket(fileno=int(inherited))
        sock.set_inheritable(False)
        return sock
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        if sock:
            sock.close()
        if error.errno == errno.EADDRINUSE:
            why = f"Port {port} is in use on {host}. Stop what uses it, or set PIXELMILL_PORT to another."
        elif error.errno == errno.EACCES:
            why = f"Port {port} is only for root. Set PIXELMILL_PORT to one above 1023."
        else:
            why = f"It cannot listen on {host}, port {port}: {error.strerror or error}. Mend PIXELMILL_HOST."
        raise PixelmillError("unavailable", why) from error
    sock.setblocking(False)
    return sock


def address(sock: socket.socket) -> str:
    """Where a person on this machine finds what listens there."""
    host, port = sock.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
