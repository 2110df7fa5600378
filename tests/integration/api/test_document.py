"""Schemathesis reads the document and tries what it promises, and what it forbids."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from pixelmill.records import keys
from tests.servers import SCRIPTS
from tests.sites import Site

# A stream of a batch that waits has no end, so events are left to their own tests.
# Most bytes are no image: that a valid form is refused for what is in its files is right.
CONFIG = """
[generation]
max-examples = {examples}

# Sequences of calls: each remembers all that was said before it, so that memory grows with their number.
[phases.stateful]
enabled = {stateful}
max-steps = {steps}
generation.max-examples = {sequences}

[[operations]]
include-path = "/process-images"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path-regex = "/events$"
enabled = false

# Which addresses may be fetched, and which bytes are an image, is more too.
[[operations]]
include-path-regex = "^/batches$|^/uploads|^/recipes/preview"
checks.positive_data_acceptance.enabled = false

# Nor does a schema tell which colours there are, or which fields go together.
[[operations]]
include-path = "/recipes/validate"
checks.positive_data_acceptance.enabled = false

# A ticket's address that has ended is 403, as nobody asked for a key.
[[operations]]
include-operation-id = "sendUpload"
checks.missing_required_header.enabled = false
checks.positive_data_acceptance.enabled = false

# It cannot make bodies of tus; test_tus.py throws arbitrary ones.
[[operations]]
include-operation-id-regex = "^tus(Create|Patch|Override)$"
enabled = false

# A request without its version of tus is 412, as tus says.
[[operations]]
include-path-regex = "^/uploads/tus"
checks.negative_data_rejection.expected-statuses = ["4xx"]

# Which addresses may be called is more than a pattern can say.
[[operations]]
include-path-regex = "^/webhooks"
checks.positive_data_acceptance.enabled = false

# A signed link that has ended is 403, as nobody asked for a key.
[[operations]]
include-path-regex = "^/images/|/archive$"
checks.missing_required_header.enabled = false

# DELETE cancels; only with `purge` is a batch gone.
[[operations]]
include-path-regex = "^/batches/"
checks.use_after_free.enabled = false

# It would revoke the key it comes with.
[[operations]]
include-operation-id = "revokeKey"
enabled = false
"""

#: Short and the same each time in `make test`; PIXELMILL_TEST_EXAMPLES=100 looks further, and at sequences of calls.
LONG = "PIXELMILL_TEST_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("PIXELMILL_TEST_EXAMPLES", "10"))
SEQUENCES, STEPS = 20, 6


async def test_schemathesis_finds_nothing(site: Site, tmp_path: Path) -> None:
    batch = await site.finish(await site.accepted())
    assert batch["status"] == "completed"
    (tmp_path / "schemathesis.toml").write_text(
        CONFIG.format(examples=EXAMPLES, stateful=str(LONG).lower(), sequences=SEQUENCES, steps=STEPS)
    )
    _, key = await keys.make(site.parts.database, owner="", name="schemathesis", scopes=["admin"])
    process = await asyncio.create_subprocess_exec(
        SCRIPTS / "schemathesis",
        "run",
        f"{site.url}/openapi.json",
        "--seed=1",
        f"--header=Authorization: Bearer {key}",
        "--no-color",
        "--generation-database=none",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
