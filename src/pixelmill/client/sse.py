"""Server-Sent Events out of bytes (WHATWG HTML, 9.2.6), whatever pieces the bytes come in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    id: str
    event: str
    data: str


class Parser:
    """Feed it bytes. What is cut off at the end was not sent whole, and is no event.

    ``place`` is the id up to which all was read: of the last event, or one that came without an event.
    """

    def __init__(self) -> None:
        self.place = ""
        self._rest = b""
        self._id = ""
        self._event = ""
        self._data: list[str] = []

    def feed(self, data: bytes) -> Iterator[Message]:
        text = self._rest + data
        # The end of a line may be CR, LF or both; a CR at the end of what has come may have its LF still to come.
        held = b"\r" if text.endswith(b"\r") else b""
        text = text.removesuffix(held) if held else text
        lines = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop() + held
        for line in lines:
            if line:
                self._field(line.decode("utf-8", "replace"))
            elif message := self._message():
                yield message

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value

    def _message(self) -> Message | None:
        message = Message(self._id, self._event or "message", "\n".join(self._data)) if self._data else None
        self._event, self._data, self.place = "", [], self._id
        return message
