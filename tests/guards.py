"""Is each guard held by a test? It is taken away, and the test that is named here must fail.

``python -m tests.guards`` does so in a copy of the source, one after the other, and writes ``tests/guards.json``.
The rows are those classes of attack that the field has met, FIELD.md §5.2 of the project's research.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.servers import ROOT

OUT = ROOT / "tests" / "guards.json"


@dataclass(frozen=True)
class Guard:
    """``text`` in ``file`` (below ``src/pixelmill``) is replaced by ``instead``; then ``test`` must fail."""

    against: str
    file: str
    text: str
    instead: str
    test: str


def _guards(*rows: tuple[str, str, str, str, str]) -> list[Guard]:
    return [Guard(*row) for row in rows]


GUARDS = _guards(
    (
        "A file that is not what its name says",
        "imaging/sniff.py",
        'if head.startswith(b"\\xff\\xd8\\xff"):',
        "if True:",
        "tests/unit/imaging/test_sniff.py::test_what_is_and_what_is_not",
    ),
    (
        "Files read by a decoder",
        "imaging/sandbox/jail.py",
        "rules.restrict()",
        "pass",
        "tests/integration/imaging/test_sandbox.py::test_a_decoder_may_not[read a file]",
    ),
    (
        "Sockets opened by a decoder",
        "imaging/sandbox/jail.py",
        '"socket", "socketpair", "connect",',
        '"connect",',
        "tests/integration/imaging/test_sandbox.py::test_a_decoder_may_not[open a socket]",
    ),
    (
        "Processes started by a decoder",
        "imaging/sandbox/jail.py",
        'filter.errno("clone", EPERM, args=[(0, seccompy.CmpOp.MASKED_EQ, 0, CLONE_THREAD)])',
        "pass",
        "tests/integration/imaging/test_sandbox.py::test_a_decoder_may_not[fork]",
    ),
    (
        "Secrets that a decoder could tell",
        "imaging/sandbox/decoder.py",
        "pass_fds=(theirs.fileno(),), env=_environment()",
        "pass_fds=(theirs.fileno(),), env=dict(os.environ)",
        "tests/integration/imaging/test_sandbox.py::test_a_decoder_knows_none_of_our_secrets",
    ),
    (
        "A decoder that hangs",
        "imaging/sandbox/pool.py",
        "async with asyncio.timeout_at(deadline):",
        "async with asyncio.timeout_at(deadline + 999):",
        "tests/integration/imaging/test_sandbox.py::test_past_its_deadline_it_is_ended",
    ),
    (
        "Pixel bombs",
        "imaging/header.py",
        "if pixels > limits.max_pixels:",
        "if False:",
        "tests/unit/imaging/test_header.py::test_pixels_of_a_bomb",
    ),
    (
        "Pixel bombs: pictures in an SVG",
        "imaging/header.py",
        'if format == "svg" and (inside := _pixels_inside(data)) > limits.max_pixels:',
        "if False:",
        "tests/unit/imaging/test_header.py::test_pixels_of_pictures_in_an_svg",
    ),
    (
        "Pixel bombs: frames of a JPEG XL that nobody sees",
        "imaging/read/jxl.py",
        "index=0,",
        "index=None,",
        "tests/integration/imaging/test_hostile.py::test_each_ends_as_it_should_and_its_sibling_is_made[BOMBS]",
    ),
    (
        "ZIP bombs: compressed texts of a PNG",
        "imaging/unfold.py",
        "if left < 0:",
        "if False:",
        "tests/unit/imaging/test_header.py::test_texts_of_a_png_that_unfold",
    ),
    (
        "ZIP bombs: compressed answers of a source",
        "outbound.py",
        'if response.headers.get("content-encoding", "identity").lower() != "identity":',
        "if False:",
        "tests/unit/test_outbound.py::test_what_a_source_answers",
    ),
    (
        "A log that is filled by warnings about a file",
        "imaging/sandbox/child.py",
        'warnings.simplefilter("ignore")',
        "pass",
        "tests/integration/imaging/test_hostile.py::test_what_is_wrong_in_a_file_fills_no_log",
    ),
    (
        "ReDoS: patterns that take the square of what they read",
        "logs.py",
        "[a-z0-9+.-]{0,31}:",
        "[a-z0-9+.-]*:",
        "tests/unit/test_patterns.py::test_time_is_in_proportion_to_the_text",
    ),
    (
        "Animations without end",
        "imaging/header.py",
        "if header.frames > limits.max_frames:",
        "if False:",
        "tests/unit/imaging/test_header.py::test_frames",
    ),
    (
        "Progressive JPEGs of thousands of scans",
        "imaging/header.py",
        "if header.progressive and count_scans(data, limits.max_scans) > limits.max_scans:",
        "if False:",
        "tests/unit/imaging/test_header.py::test_scans_of_a_progressive_jpeg",
    ),
    (
        "Output bombs: enlargement",
        "imaging/plan.py",
        "if factor > limits.max_enlargement:",
        "if False:",
        "tests/unit/imaging/test_plan.py::test_what_is_asked_for_has_limits",
    ),
    (
        "Output bombs: pixels",
        "imaging/plan.py",
        "if reached and reached.width * reached.height * frames > limits.max_output_pixels:",
        "if False:",
        "tests/unit/imaging/test_plan.py::test_frames_count_into_the_output",
    ),
    (
        "SSRF: private, loopback, link-local addresses, 0.0.0.0, carrier-grade NAT",
        "outbound.py",
        "return address.is_global and not address.is_multicast and not any(address in net for net in _V4_EXTRA)",
        "return True",
        "tests/unit/test_outbound.py::test_what_is_not_public",
    ),
    (
        "SSRF: IPv4 hidden in IPv6",
        "outbound.py",
        "if address not in _V6_GLOBAL or any(address in net for net in _V6_EXTRA) or address.scope_id:",
        "if address.scope_id:",
        "tests/unit/test_outbound.py::test_what_is_not_public",
    ),
    (
        "SSRF: DNS rebinding",
        "outbound.py",
        "request.url.copy_with(host=address),",
        "request.url,",
        "tests/unit/test_outbound.py::test_the_connection_goes_to_the_address_that_was_checked",
    ),
    (
        "SSRF: names that lead to private addresses, redirects to them",
        "outbound.py",
        "public = [one for one in found if is_public(ipaddress.ip_address(one))]",
        "public = list(found)",
        "tests/unit/test_outbound.py::test_a_redirect_is_checked_again",
    ),
    (
        "SSRF: user names and other schemes in addresses",
        "outbound.py",
        "if parsed.userinfo:",
        "if False:",
        "tests/unit/test_outbound.py::test_what_is_no_address_to_call",
    ),
    (
        "Webhook SSRF at the time of sending",
        "pipeline/deliver.py",
        "self._client = self._guard.client(seconds=TIMEOUT)",
        "self._client = httpx.AsyncClient(timeout=TIMEOUT)",
        "tests/integration/pipeline/test_deliver.py::test_what_is_not_public_is_never_called",
    ),
    (
        "Stored XSS: what a browser could run is shown inline",
        "api/routes/images.py",
        "inline = not download and content_type in _PICTURES",
        "inline = not download",
        "tests/integration/api/test_images.py::test_what_a_browser_could_run_is_never_shown_inline",
    ),
    (
        "Stored XSS: types that are guessed",
        "api/envelope.py",
        '"x-content-type-options": "nosniff",',
        "",
        "tests/integration/api/test_images.py::test_the_whole_result",
    ),
    (
        "Path and key traversal",
        "storage/keys.py",
        "if len(key) > 512 or not _SAFE.match(key):",
        "if False:",
        "tests/unit/storage/test_local.py::test_keys_that_could_lead_elsewhere_are_refused",
    ),
    (
        "Names in ZIP files (zip slip)",
        "pipeline/archive.py",
        'last = original_name.replace("\\\\", "/").rpartition("/")[2]',
        "last = original_name",
        "tests/unit/pipeline/test_archive.py::test_a_name_that_every_file_system_takes",
    ),
    (
        "Places and serial numbers that leave with a picture",
        "imaging/metadata.py",
        "MakerNote|SerialNumber|",
        "",
        "tests/unit/imaging/test_metadata.py::test_private_fields",
    ),
    (
        "Signed links that were changed",
        "api/links.py",
        "if not good or str(int(expires)) != expires:",
        "if str(int(expires)) != expires:",
        "tests/integration/api/test_links.py::test_a_link_that_was_changed_opens_nothing",
    ),
    (
        "Signed links past their end",
        "api/links.py",
        "if int(expires) <= self._clock():",
        "if False:",
        "tests/integration/api/test_links.py::test_a_link_ends",
    ),
    (
        "Key rotation: what the secret before signed is believed, and no longer than it is kept",
        "api/links.py",
        "for key in secret.keys(purpose)}",
        "for key in secret.keys(purpose)[:1]}",
        "tests/integration/api/test_links.py::test_a_new_secret_signs_and_the_old_one_is_believed_until_it_is_taken_away",
    ),
    (
        "Key rotation: a webhook's secret whose time is over",
        "records/secrets.py",
        "return [one for one in found if one.until is None or one.until > at]",
        "return list(found)",
        "tests/integration/records/test_deliveries.py::test_a_secret_changes_without_a_gap",
    ),
    (
        "Slow loris: bodies",
        "api/body.py",
        'raise PixelmillError("slow-request") from error',
        "raise",
        "tests/integration/api/test_slow.py::test_json_that_crawls_is_cut_off",
    ),
    (
        "Slow loris: headers",
        "cli/api.py",
        "header_read_timeout=int(settings.header_seconds * 1000)",
        "header_read_timeout=600_000",
        "tests/integration/api/test_slow.py::test_headers_that_never_end",
    ),
    (
        "Huge headers",
        "api/gate.py",
        "> settings.max_header_bytes:",
        "> 10**9:",
        "tests/integration/api/test_quotas.py::test_headers_and_addresses_have_a_size",
    ),
    (
        "Quotas used up by one: images in flight",
        "api/quotas.py",
        'most = caller.limits.get("imagesInFlight", self._settings.images_in_flight)',
        "most = 0",
        "tests/integration/api/test_quotas.py::test_images_in_flight",
    ),
    (
        "Secrets in logs",
        "logs.py",
        'event[key] = "***" if _SECRET_NAMES.search(key) else _clean(value)',
        "event[key] = value",
        "tests/unit/test_logs.py::test_no_secret_is_written",
    ),
    (
        "Poison: an image that ends its decoders",
        "pipeline/work.py",
        "if crashed and held.crashes + 1 >= POISON:",
        "if False:",
        "tests/integration/pipeline/test_work.py::test_an_image_that_ends_its_decoder_twice_is_poison",
    ),
    (
        "Two workers on one image: a frozen one wakes up",
        "records/work.py",
        "if not batch or not row or row.token != held.token or row.state != State.ACTIVE:",
        "if not batch or not row:",
        "tests/integration/records/test_work.py",
    ),
    (
        "Reads across tenants",
        "api/auth.py",
        "return self.link or self.view is None or self.view == owner",
        "return True",
        "tests/integration/api/test_tenants.py::test_what_has_an_id_is_there_for_its_owner_alone",
    ),
    (
        "CSRF: the token of a session",
        "api/auth.py",
        'if _unsafe(connection) and not session.vouches(connection.headers.get(CSRF_HEADER, "")):',
        "if False:",
        "tests/integration/api/test_access.py::test_a_session_stands_for_the_key",
    ),
    (
        "CSRF: pages of other sites on an open service",
        "api/auth.py",
        'raise PixelmillError("cross-site", "A page of another site must send a key in a header.")',
        "return",
        "tests/integration/api/test_access.py::test_pages_of_other_sites_cannot_act_on_an_open_service",
    ),
    (
        "DNS rebinding against the service itself",
        "api/auth.py",
        "if not is_loopback(_host(f\"//{connection.headers.get('host', '')}\")):",
        "if False:",
        "tests/integration/api/test_access.py::test_an_open_service_answers_to_its_own_names_only",
    ),
)


def fails_without(guard: Guard, folder: Path) -> bool:
    """Whether the test fails once the guard is gone. Only a failed test counts (exit status 1), not a broken run."""
    path = folder / "src" / "pixelmill" / guard.file
    kept = path.read_text()
    assert guard.text in kept, guard
    path.write_text(kept.replace(guard.text, guard.instead))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", guard.test],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode == 1
    finally:
        path.write_text(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="guards against what has this word in it")
    given = parser.parse_args()
    wanted = [guard for guard in GUARDS if given.only.lower() in guard.against.lower()]
    with tempfile.TemporaryDirectory(prefix="pixelmill-guards-") as name:
        folder = Path(name)
        for part in ("src", "tests", "scripts"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "results"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        if (ROOT / ".tools").exists():
            (folder / ".tools").symlink_to(ROOT / ".tools")
        rows = []
        for guard in wanted:
            held = fails_without(guard, folder)
            print("held" if held else "NOT HELD", guard.against, guard.test, flush=True)
            rows.append({**asdict(guard), "held": held})
    before = {row["against"]: row for row in json.loads(OUT.read_text())} if OUT.exists() else {}
    after = before | {row["against"]: row for row in rows}
    OUT.write_text(json.dumps([after[one.against] for one in GUARDS if one.against in after], indent=1) + "\n")
    sys.exit(0 if all(row["held"] for row in rows) else 1)


if __name__ == "__main__":
    main()
