"""Thumbnails of the photos named on the command line, into the folder ``out``."""

import os
import sys

from pixelmill.client import Client

with Client(os.environ.get("PIXELMILL_URL", "http://127.0.0.1:3000"), os.environ.get("PIXELMILL_API_KEY")) as mill:
    batch = mill.submit(sys.argv[1:], preset="thumbnail")
    batch = mill.wait(batch.batch_id, on_event=lambda event: sys.stderr.write(f"{event.event}\n"))
    for path in mill.download(batch, "out"):
        sys.stdout.write(f"{path}\n")
