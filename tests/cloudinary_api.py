"""A stand-in for Cloudinary's upload API, as its documentation describes it: signed multipart to `image/upload`.

The signature is the SHA-1 of all parameters but `file`, `api_key` and what the address says, sorted, joined by `&`, and
the secret after them. An upload under a public id that is there replaces it if `overwrite` is set. The admin API, which
deletes, takes key and secret as HTTP Basic.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from python_multipart.multipart import parse_form

from tests.servers import LOOPBACK

CLOUD, KEY, SECRET = "demo", "1234", "s3cret"


@dataclass
class CloudinaryApi:
    url: str = ""
    #: By public id.
    stored: dict[str, bytes] = field(default_factory=dict)
    #: Status and body of the next answers, instead of taking what was sent.
    failures: list[tuple[int, bytes]] = field(default_factory=list)
    uploads: int = 0
    #: No answer until it is set.
    answering: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answering.set()

    def setting(self, secret: str = SECRET) -> str:
        return f"cloudinary://{KEY}:{secret}@{CLOUD}/shop?upload_prefix={self.url}"

    def take(self, path: str, fields: dict[str, str], file: bytes) -> tuple[int, dict[str, Any]]:
        if path != f"/v1_1/{CLOUD}/image/upload":
            return 404, {"error": {"message": "Unknown address"}}
        signed = sorted((name, value) for name, value in fields.items() if name not in ("api_key", "signature"))
        text = "&".join(f"{name}={value}" for name, value in signed) + SECRET
        if fields.get("api_key") != KEY or fields.get("signature") != hashlib.sha1(text.encode()).hexdigest():
            return 401, {"error": {"message": f"Invalid Signature {fields.get('signature')}"}}
        name = fields["public_id"]
        if name in self.stored and fields.get("overwrite") not in ("1", "true", "True"):
            return 200, {"public_id": name, "existing": True, "secure_url": self.address(name)}
        self.stored[name] = file
        return 200, {"public_id": name, "bytes": len(file), "secure_url": self.address(name)}

    def drop(self, path: str, names: list[str], authorization: str) -> tuple[int, dict[str, Any]]:
        if path != f"/v1_1/{CLOUD}/resources/image/upload":
            return 404, {"error": {"message": "Unknown address"}}
        if authorization != "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode():
            return 401, {"error": {"message": f"Invalid credentials of {KEY}"}}
        if len(names) > 100:
            return 400, {"error": {"message": "Too many public ids"}}
        told = {name: "not_found" if self.stored.pop(name, None) is None else "deleted" for name in names}
        return 200, {"deleted": told, "partial": False}

    @staticmethod
    def address(name: str) -> str:
        return f"https://res.cloudinary.com/{CLOUD}/image/upload/v1/{name}"


@contextmanager
def cloudinary_api() -> Iterator[CloudinaryApi]:
    api = CloudinaryApi()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            fields: dict[str, str] = {}
            files: list[bytes] = []
            headers = {
                "Content-Type": self.headers["Content-Type"].encode(),
                "Content-Length": self.headers["Content-Length"].encode(),
            }

            def on_file(file: Any) -> None:
                file.file_object.seek(0)
                files.append(file.file_object.read())

            def on_field(one: Any) -> None:
                fields[one.field_name.decode()] = one.value.decode()

            parse_form(headers, self.rfile, on_field, on_file)
            api.uploads += 1
            api.answering.wait(60)
            if api.failures:
                self.answer(*api.failures.pop(0))
            else:
                status, answer = api.take(self.path, fields, files[0])
                self.answer(status, json.dumps(answer).encode())

        def do_DELETE(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if api.failures:
                self.answer(*api.failures.pop(0))
            else:
                status, answer = api.drop(self.path, told["public_ids"], self.headers.get("Authorization", ""))
                self.answer(status, json.dumps(answer).encode())

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    api.url = f"http://{LOOPBACK}:{server.server_address[1]}"
    try:
        yield api
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
