from __future__ import annotations

import socket

import pytest

from pixelmill.cli import listening
from pixelmill.errors import PixelmillError


def test_listens_on_a_free_port() -> None:
    with listening.listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        assert listening.address(sock) == f"http://127.0.0.1:{port}"
        with pytest.raises(PixelmillError, match=f"Port {port} is in use"):
            listening.listen("127.0.0.1", port)
        with socket.create_connection(("127.0.0.1", port)):
            pass


def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(PixelmillError, match="Mend PIXELMILL_HOST"):
        listening.listen("192.0.2.1", 0)


def test_the_address_is_one_to_click_on() -> None:
    with listening.listen("0.0.0.0", 0) as sock:
        assert listening.address(sock).startswith("http://127.0.0.1:")


def test_takes_over_the_socket_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening.listen("127.0.0.1", 0) as given:
        monkeypatch.setenv(listening.LISTEN_FD, str(given.fileno()))
        given.set_inheritable(True)  # as it comes from whoever started us
        taken = listening.listen("127.0.0.1", 1)
        assert taken.getsockname() == given.getsockname()
        assert not taken.get_inheritable()  # what it starts is to keep no port
        taken.detach()
