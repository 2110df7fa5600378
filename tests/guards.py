"""Is each guard held by a test? It is taken away, and the test that is named here must fail.

``python -m tests.guards`` does so in a copy of the source, one after the other, says why each test failed, and writes
``tests/guards.json`` and the table in ``docs/explanation/trust.md``. The rows are those classes of attack that the
field has met, FIELD.md §5.2 of the project's research.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.servers import ROOT

OUT = ROOT / "tests" / "guards.json"
PAGE = ROOT / "docs" / "explanation" / "trust.md"
SOURCE = Path("src") / "pixelmill"

#: A file below ``src/pixelmill``, a text in it, and what stands there instead when the guard is gone.
Change = tuple[str, str, str]


@dataclass(frozen=True)
class Guard:
    """``text`` in ``file`` is replaced by ``instead``; then ``test`` must fail.

    ``more``: other places that hold the same, and are taken away with it.
    """

    against: str
    file: str
    text: str
    instead: str
    test: str
    more: tuple[Change, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        return (self.file, self.text, self.instead), *self.more


def _guards(*rows: tuple[str, str, str, str, str] | tuple[str, str, str, str, str, tuple[Change, ...]]) -> list[Guard]:
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
        "A JPEG of a kind that its reader writes beyond its memory",
        "imaging/read/jpeg.py",
        " or not is_plain(data)",
        "",
        "tests/unit/imaging/test_jpeg.py::test_the_rest_is_left_to_libvips[lossless]",
    ),
    (
        "ZIP bombs: compressed texts of a PNG",
        "imaging/unfold.py",
        "if left < 0:",
        "if False:",
        "tests/unit/imaging/test_header.py::test_texts_of_a_png_that_unfold",
    ),
    (
        "Metadata bombs: items of an AVIF or HEIC that are all of the file, again and again",
        "imaging/unfold.py",
        "if (left := left - length) < 0:",
        "if False:",
        "tests/unit/imaging/test_header.py::test_items_that_are_longer_than_their_file",
    ),
    (
        "Metadata bombs: of the pictures in an SVG",
        "imaging/header.py",
        'unfold.check(picture, format or "")',
        "pass",
        "tests/unit/imaging/test_header.py::test_what_is_in_an_svg_unfolds_no_more",
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
        "if reached and pixels > limits.max_output_pixels:",
        "if False:",
        "tests/unit/imaging/test_plan.py::test_frames_count_into_the_output",
    ),
    (
        "Output bombs: pixels of all variants together",
        "imaging/plan.py",
        "if pixels > self._left:",
        "if False:",
        "tests/unit/imaging/test_plan.py::test_what_all_variants_have_together_is_limited",
    ),
    (
        "Output bombs: steps behind one whose size only the pixels tell",
        "imaging/make.py",
        "allowance.take(variant, size, len(frames), step + 1)",
        "pass",
        "tests/unit/imaging/test_plan.py::test_behind_a_trim_the_same_limits_hold",
    ),
    (
        "Loaders nobody asked for",
        "imaging/vips.py",
        """\
    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
""",
        "",
        "tests/unit/imaging/test_vips.py::test_what_loads_is_what_is_on_the_list",
    ),
    (
        "A decoder that spins while the one who would end it is stopped",
        "imaging/sandbox/child.py",
        'jail.limit_cpu(limits.seconds * (len(request["variants"]) + 1))',
        "pass",
        "tests/integration/imaging/test_sandbox.py::test_one_that_spins_ends_itself",
    ),
    (
        "A corrupt image that is tried again and again",
        "pipeline/work.py",
        "elif known.spec.permanent or held.tries >= self._settings.tries:",
        "elif held.tries >= self._settings.tries:",
        "tests/integration/pipeline/test_work.py::test_a_truncated_photo_is_a_dead_letter_at_once_and_leaves_no_result",
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
        '(b"x-content-type-options", b"nosniff"),',
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
        "return original_name",
        "tests/integration/api/test_archive.py::test_what_clients_call_their_files_cannot_leave_the_folder",
        (("pipeline/receive.py", 'last = name.replace("\\\\", "/").rpartition("/")[2]', "last = name"),),
    ),
    (
        "Places and serial numbers that leave with a picture",
        "imaging/metadata.py",
        "if PRIVATE.search(field):",
        "if False:",
        "tests/unit/imaging/test_metadata.py::test_no_place_and_no_number_leaves_with_a_picture",
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
        "async with asyncio.timeout(self._pace.left(self._waited, self._received)):",
        "async with asyncio.timeout(None):",
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
        'event[key] = "***" if _is_secret(key) else _clean(value)',
        "event[key] = value",
        "tests/unit/test_logs.py::test_no_secret_is_written",
    ),
    (
        "Secrets in logs: passwords inside addresses",
        "logs.py",
        'value = _SECRET_IN_URL.sub(r"\\g<scheme>***@", value)',
        "pass",
        "tests/unit/test_logs.py::test_secrets_inside_a_text_that_is_logged",
    ),
    (
        "Secrets in logs: signatures inside texts",
        "logs.py",
        'value = _SIGNED.sub(r"\\g<name>=***", value)',
        "pass",
        "tests/unit/test_logs.py::test_secrets_inside_a_text_that_is_logged",
    ),
    (
        "Secrets in logs: keys inside texts",
        "logs.py",
        'value = _KEYS.sub(r"\\g<name>***", value)',
        "pass",
        "tests/unit/test_logs.py::test_secrets_inside_a_text_that_is_logged",
    ),
    (
        "Secrets in logs: the address of a share",
        "api/envelope.py",
        'return "/shares/…" if path.startswith("/shares/") else path',
        "return path",
        "tests/integration/api/test_links.py::test_who_reads_the_log_cannot_open_a_share",
    ),
    (
        "SSRF: schemes other than http and https as sources",
        "outbound.py",
        "if parsed.scheme not in SCHEMES:",
        "if False:",
        "tests/integration/api/test_sources.py::test_only_what_http_and_https_reach_is_a_source",
    ),
    (
        "SSRF: private addresses that a proxy is asked for",
        "outbound.py",
        'if by_proxy is None or error.code != "source-unavailable":',
        "if by_proxy is None:",
        "tests/unit/test_outbound.py::test_behind_a_proxy_nothing_more_is_called_that_is_known_to_be_private",
    ),
    (
        "Webhook SSRF: redirects that are followed",
        "pipeline/deliver.py",
        'self._client.stream("POST", one.url, content=body.encode(), headers=headers)',
        'self._client.stream("POST", one.url, content=body.encode(), headers=headers, follow_redirects=True)',
        "tests/integration/pipeline/test_deliver.py::test_only_2xx_is_success_and_nothing_is_followed",
    ),
    (
        "Stored XSS: a result that runs as a page (CSP sandbox)",
        "api/sending.py",
        "\"default-src 'none'; style-src 'unsafe-inline'; sandbox\"",
        "\"default-src 'none'; style-src 'unsafe-inline'\"",
        "tests/integration/api/test_images.py::test_what_a_browser_could_run_is_never_shown_inline",
    ),
    (
        "Stored XSS: originals shown inline",
        "api/routes/jobs.py",
        "return await stored(request, parts, image.key, image.original_name, content_type)",
        "return await stored(request, parts, image.key, image.original_name, content_type, inline=True)",
        "tests/integration/api/test_images.py::test_the_original_is_for_its_owner_and_never_a_page",
    ),
    (
        "Path prefix: folders whose names begin as one that was opened",
        "api/routes/sources.py",
        'return tuple(one if one.endswith("/") or not one else f"{one}/" for one in parts.settings.source_prefixes)',
        "return parts.settings.source_prefixes",
        "tests/integration/api/test_sources.py::test_what_is_opened_is_a_folder_and_none_whose_name_begins_so",
    ),
    (
        "Path prefix: what the service keeps itself, taken as a source",
        "api/routes/sources.py",
        "key.startswith(OWN) or",
        "",
        "tests/integration/api/test_sources.py::test_what_the_service_keeps_itself_is_never_a_source",
    ),
    (
        "Path traversal in the pages",
        "web/__init__.py",
        "file = self._files.get(path)",
        "file = _load(self._dist / path[1:]) if (self._dist / path[1:]).is_file() else None",
        "tests/unit/web/test_pages.py::test_nothing_else_is_served",
    ),
    (
        "Upload tickets: a file of another size than announced",
        "pipeline/uploads.py",
        'if upload.metadata.get("exact") and size != upload.length:',
        "if False:",
        "tests/integration/api/test_uploads.py::test_what_does_not_fit_the_ticket_leaves_nothing_and_may_be_sent_again",
    ),
    (
        "Upload tickets: a body that does not end",
        "pipeline/uploads.py",
        'Receiving(upload_id, "", await self._create(key), upload.length, key=key)',
        'Receiving(upload_id, "", await self._create(key), 10**12, key=key)',
        "tests/integration/api/test_uploads.py::test_a_body_of_unknown_length_is_cut_at_the_ticket_s_size",
    ),
    (
        "Upload tickets: bytes of another type",
        "pipeline/uploads.py",
        'if wanted and TYPES.get(what or "") not in wanted:',
        "if False:",
        "tests/integration/api/test_uploads.py::test_what_does_not_fit_the_ticket_leaves_nothing_and_may_be_sent_again",
    ),
    (
        "Upload tickets: an address that was changed (upload, end)",
        "api/links.py",
        "if not good or str(int(expires)) != expires:",
        "if str(int(expires)) != expires:",
        "tests/integration/api/test_uploads.py::test_an_address_that_was_changed_is_worth_nothing",
    ),
    (
        "Upload tickets: past their end",
        "api/links.py",
        "if int(expires) <= self._clock():",
        "if False:",
        "tests/integration/api/test_uploads.py::test_an_address_ends",
    ),
    (
        "Upload tickets: used twice",
        "pipeline/uploads.py",
        'if upload.kind != "put" or upload.state != "open":',
        'if upload.kind != "put":',
        "tests/integration/api/test_uploads.py::test_an_address_is_good_for_one_file",
        (
            ("records/uploads.py", 'if row.state != "open":', "if False:"),
            (
                "records/uploads.py",
                '.where(_t.id == upload_id, _t.token == token, _t.state == "open")',
                ".where(_t.id == upload_id, _t.token == token)",
            ),
        ),
    ),
    (
        "Upload tickets: an upload taken by another tenant",
        "api/owned.py",
        'known(upload_id, "upload"))\n    if found is None or not caller.sees(found.owner):',
        'known(upload_id, "upload"))\n    if found is None:',
        "tests/integration/api/test_tenants.py::test_nobody_can_use_the_uploads_of_another",
    ),
    (
        "Upload tickets: an upload taken by two batches",
        "pipeline/uploads.py",
        'if upload.state == "taken":',
        "if False:",
        "tests/integration/api/test_uploads.py::test_a_file_is_sent_without_a_key_and_taken",
        (
            ("pipeline/uploads.py", 'if upload.state == "finished":', 'if upload.state in ("finished", "taken"):'),
            ("records/uploads.py", "if done.rowcount != 1:", "if False:"),
        ),
    ),
    (
        "Quotas used up by one: requests in a minute",
        "api/quotas.py",
        "wanted = [(self.requests(caller), 1)]",
        "wanted = []",
        "tests/integration/api/test_quotas.py::test_a_key_may_have_limits_of_its_own",
    ),
    (
        "Quotas used up by one: bytes in a day",
        "api/quotas.py",
        "wanted.append((self.bytes(caller), size))",
        "pass",
        "tests/integration/api/test_quotas.py::test_bytes_in_a_day",
    ),
    (
        "Quotas used up by one: bytes of a body of unknown length",
        "api/gate.py",
        "charge = quotas.charge(*self._who(caller)) if size is None else None",
        "charge = None",
        "tests/integration/api/test_quotas.py::test_bytes_of_a_body_of_unknown_length",
    ),
    (
        "More than the service can do: images that wait",
        "api/quotas.py",
        "if self._deep:",
        "if False:",
        "tests/integration/api/test_quotas.py::test_a_service_with_too_much_to_do_says_when_to_come_again",
    ),
    (
        "Keys that do more than their scopes say",
        "api/auth.py",
        "if not found.may(scope):",
        "if False:",
        "tests/integration/api/test_access.py::test_a_key_may_what_its_scopes_say",
    ),
    (
        "Dashboard: acts of who may only watch",
        "api/auth.py",
        'Operator = Annotated[Caller, Security(_key, scopes=["operator"])]',
        'Operator = Annotated[Caller, Security(_key, scopes=["watch"])]',
        "tests/integration/api/test_monitor.py::test_who_may_read_and_belongs_to_no_tenant_watches_and_changes_nothing",
    ),
    (
        "Dashboard: dead letters purged without a line in the audit",
        "records/dead_letters.py",
        'await audit.note(\n            tx,\n            "dead-letter.purge",',
        "dict(",
        "tests/integration/api/test_dead_letters.py::test_who_replayed_and_purged_is_in_the_audit",
    ),
    (
        "Dashboard: dead letters replayed without a line in the audit",
        "api/routes/dead_letters.py",
        "await audit.note(tx, action, owner",
        "dict(owner",
        "tests/integration/api/test_dead_letters.py::test_who_replayed_and_purged_is_in_the_audit",
    ),
    (
        "Dashboard: jobs tried again without a line in the audit",
        "api/routes/jobs.py",
        'await audit.write(parts.database, "job.retried", owner',
        "dict(owner",
        "tests/integration/api/test_dead_letters.py::test_who_replayed_and_purged_is_in_the_audit",
    ),
    (
        "A service that everybody reaches, without keys",
        "cli/common.py",
        "if settings.allow_open or _is_loopback(settings.host) or _has_key(settings):",
        "if True:",
        "tests/unit/cli/test_common.py::test_elsewhere_is_refused_without_keys",
    ),
    (
        "A service that everybody reaches, without keys: the command that starts it",
        "cli/api.py",
        "check_exposure(settings)",
        "pass",
        "tests/integration/cli/test_serve.py::test_it_is_not_open_to_all_by_mistake[api]",
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
        "CSRF: the cookie that a browser sends from other sites (SameSite)",
        "api/sessions.py",
        '"samesite": "strict"',
        '"samesite": "none"',
        "tests/integration/api/test_access.py::test_a_session_stands_for_the_key",
    ),
    (
        "CSRF: a live socket that a page of another site opens",
        "api/auth.py",
        'connection.scope["type"] == "websocket" or connection.scope["method"]',
        'connection.scope.get("method", "GET")',
        "tests/integration/api/test_access.py::test_a_live_socket_needs_a_key_of_its_tenant",
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


def why_it_fails(guard: Guard, folder: Path) -> str | None:
    """What the test says once the guard is gone; None when it passes. Only a failed test counts, not a broken run."""
    kept = {file: (folder / SOURCE / file).read_text() for file, _, _ in guard.changes}
    try:
        for file, text, instead in guard.changes:
            path = folder / SOURCE / file
            assert text in path.read_text(), guard
            path.write_text(path.read_text().replace(text, instead))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", guard.test],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for file, text in kept.items():
            (folder / SOURCE / file).write_text(text)
    said = [line for line in done.stdout.splitlines() if line.startswith("E  ")]
    return " ".join(said[0].split()) if done.returncode == 1 and said else None


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """The rows as the page shows them."""
    lines = ["| against | test that fails without its guard | tried |", "|---|---|---|"]
    for row in rows:
        test = row["test"].removeprefix("tests/")
        lines.append(f"| {row['against']} | `{test}` | {'fails' if row['held'] else '**does not**'} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="guards against what has this word in it")
    given = parser.parse_args()
    wanted = [guard for guard in GUARDS if given.only.lower() in guard.against.lower()]
    rows = []
    with tempfile.TemporaryDirectory(prefix="pixelmill-guards-") as name:
        folder = Path(name)
        for part in ("src", "tests", "scripts"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "results"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        if (ROOT / ".tools").exists():
            (folder / ".tools").symlink_to(ROOT / ".tools")
        for guard in wanted:
            why = why_it_fails(guard, folder)
            print("NOT HELD" if why is None else "held", guard.against, guard.test, why or "", sep=" | ", flush=True)
            rows.append({**asdict(guard), "held": why is not None})
    before = {row["against"]: row for row in json.loads(OUT.read_text())} if OUT.exists() else {}
    after = before | {row["against"]: row for row in rows}
    known = [after[one.against] for one in GUARDS if one.against in after]
    OUT.write_text(json.dumps(known, indent=1) + "\n")
    head, _, rest = PAGE.read_text().partition("<!-- guards -->\n")
    PAGE.write_text(
        f"{head}<!-- guards -->\n{table(known)}\n<!-- end of guards -->{rest.partition('<!-- end of guards -->')[2]}"
    )
    sys.exit(0 if all(row["held"] for row in rows) else 1)


if __name__ == "__main__":
    main()
