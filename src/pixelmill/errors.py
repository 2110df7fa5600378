"""Every error a caller can meet: one stable code, one sentence that says what to do.

The wire form is RFC 9457: ``type`` is ``/problems/<code>``, ``title`` is the code's title, ``detail`` the sentence.
Imaging, recipes and the API raise :class:`PixelmillError` with a code from :data:`CODES`; nothing else reaches a user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Code:
    """One stable error code.

    ``status`` is the HTTP status when the error answers a request; ``permanent`` tells that trying the same image
    again cannot help, so that it becomes a dead letter at once.
    """

    slug: str
    title: str
    status: int
    advice: str
    permanent: bool = True


def _codes(*codes: Code) -> Mapping[str, Code]:
    return {code.slug: code for code in codes}


CODES: Mapping[str, Code] = _codes(
    # What is wrong with an image
    Code(
        "unsupported-format", "Unsupported format", 415, "Send JPEG, PNG, WebP, GIF, AVIF, HEIC, TIFF, JPEG XL or SVG."
    ),
    Code("corrupt-image", "Corrupt image", 422, "The file is damaged or cut short; export or download it again."),
    Code("empty-file", "Empty file", 422, "The file has no bytes; choose it again."),
    Code("too-large", "File too large", 413, "Send a smaller file, or raise PIXELMILL_MAX_FILE_BYTES."),
    Code("too-many-pixels", "Too many pixels", 422, "Scale the image down first, or raise PIXELMILL_MAX_PIXELS."),
    Code("animation-too-long", "Animation too long", 422, "Shorten the animation, or raise PIXELMILL_MAX_FRAMES."),
    Code("too-many-scans", "Too many scans", 422, "Save the JPEG again; a real one has at most a dozen scans."),
    Code("too-much-metadata", "Too much metadata", 422, "Save the image again without its texts."),
    Code("poison-image", "Image crashes its decoder", 422, "Decoding it ended the decoder process twice; inspect it."),
    Code(
        "delivery-failed",
        "Delivery failed",
        502,
        "The place that results are sent to did not take it; replay the image when it does.",
        permanent=False,
    ),
    # What is wrong with what was asked for
    Code("bad-recipe", "Bad recipe", 422, "Mend the field that `pointer` names."),
    Code("presets-only", "Presets only", 403, "This service makes presets only; choose one that GET /presets lists."),
    Code("too-many-variants", "Too many variants", 422, "Ask for fewer variants, or raise PIXELMILL_MAX_VARIANTS."),
    Code(
        "output-too-large",
        "Output too large",
        422,
        "Ask for fewer pixels or variants, or raise PIXELMILL_MAX_OUTPUT_PIXELS.",
    ),
    Code("cannot-fit", "Cannot fit", 422, "Allow more bytes, or ask for fewer pixels or another format."),
    Code("enlarged-too-much", "Enlarged too much", 422, "Enlarge less, or raise PIXELMILL_MAX_ENLARGEMENT."),
    Code("unknown-preset", "Unknown preset", 422, "Choose one of the names that GET /presets lists."),
    Code("bad-request", "Bad request", 400, "Mend what `detail` names and send the request again."),
    Code("unsupported-media-type", "Unsupported media type", 415, "Send multipart/form-data with files in `images`."),
    Code("slow-request", "Request too slow", 408, "No byte of the body came for too long; send it again."),
    Code("range-not-satisfiable", "Range not satisfiable", 416, "Ask for bytes that exist; `size` is how many."),
    Code("no-files", "No files", 400, "Send at least one file in the multipart field `images`."),
    Code("too-many-files", "Too many files", 413, "Send fewer files in one request, or raise PIXELMILL_MAX_FILES."),
    Code("too-large-request", "Request too large", 413, "Send fewer or smaller files in one request."),
    Code("nothing-acceptable", "Nothing acceptable", 422, "Every file was refused; `files` says why for each."),
    Code("not-found", "Not found", 404, "Check the id; records are deleted when their retention is over."),
    Code("not-ready", "Not ready", 409, "Wait until it is completed, then ask again."),
    Code("method-not-allowed", "Method not allowed", 405, "See /docs for what this address takes."),
    Code("conflict", "Conflict", 409, "The state it is in does not allow this; fetch it and decide again."),
    Code("locked", "Locked", 423, "Another request is writing to it; try again when that is over."),
    Code("upload-expired", "Upload expired", 410, "It was not finished, or not used, in time; start a new one."),
    Code("wrong-size", "Wrong size", 400, "Send exactly as many bytes as were announced."),
    Code("checksum-mismatch", "Checksum mismatch", 460, "The bytes were changed on their way; send them again."),
    Code("tus-version", "Unknown version of tus", 412, "Send `Tus-Resumable: 1.0.0`."),
    Code("address-refused", "Address refused", 422, "Give a public http or https address, or allow its host by name."),
    Code("bad-signature", "Bad signature", 403, "The link has ended or was changed; ask for a new one."),
    Code("source-refused", "Source refused", 422, "The address does not give the image out; open it yourself first."),
    # What is wrong with who asks, or how often
    Code("no-key", "No key", 401, "Send a key as `Authorization: Bearer pm_…`."),
    Code("bad-key", "Bad key", 401, "The key is unknown, revoked or expired; ask for a new one."),
    Code("missing-scope", "Missing scope", 403, "Use a key that has the scope named in `scope`."),
    Code("cross-site", "Cross-site request", 403, "Call from a page of this service, or with a key in a header."),
    Code("quota-exceeded", "Quota exceeded", 429, "Wait for the seconds in Retry-After, then go on more slowly."),
    Code("overloaded", "Too much to do", 429, "Wait for the seconds in Retry-After and send it again.", False),
    Code("idempotency-mismatch", "Idempotency-Key used for something else", 422, "Use a new key for a new request."),
    Code(
        "idempotency-running", "First request still runs", 409, "Wait for the seconds in Retry-After and send it again."
    ),
    Code("headers-too-large", "Headers too large", 431, "Send fewer or shorter headers."),
    Code("address-too-long", "Address too long", 414, "Send long values in the body."),
    # What went wrong on our side: worth another try
    Code(
        "timeout",
        "Took too long",
        504,
        "It took longer than its deadline; ask for less or raise the deadline.",
        False,
    ),
    Code(
        "out-of-memory", "Out of memory", 507, "The decoder reached its memory limit; ask for less or raise it.", False
    ),
    Code("decoder-died", "Decoder died", 500, "The decoder process ended; the image is tried again.", False),
    Code("storage-unavailable", "Storage unavailable", 503, "Storage did not answer; try again later.", False),
    Code("source-unavailable", "Source unavailable", 502, "The address did not answer as it should; try again.", False),
    Code("unavailable", "Unavailable", 503, "A part of the service is not up; try again in a moment.", False),
    Code("internal-error", "Internal error", 500, "This is a fault of the service; its log has the details.", False),
)


@dataclass(eq=False)
class PixelmillError(Exception):
    """An error with a stable code. ``extra`` becomes further members of the problem document."""

    code: str
    detail: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.code in CODES, self.code
        self.detail = self.detail or CODES[self.code].advice
        super().__init__(self.code, self.detail)

    @property
    def spec(self) -> Code:
        return CODES[self.code]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.detail, self.extra)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"
