"""What a person names on the command line, as files to send: photos, folders of them, and ZIPs."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from pixelmill.client.files import OnDisk, Source, ZipMember

#: Endings of image files that are looked for in folders and ZIPs. A file that is named itself is sent whatever it is.
ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".avif", ".heic", ".heif", ".hif"}
    | {".tif", ".tiff", ".jxl", ".svg"}
)


def expand(paths: Iterable[Path]) -> list[Source]:
    """In the order given; folders and ZIPs by name. Raises OSError for what is not there or is no ZIP."""
    return [source for path in paths for source in _expand(path)]


def groups(sources: list[Source], most_files: int) -> list[list[Source]]:
    """In requests of at most so many files."""
    return [sources[start : start + most_files] for start in range(0, len(sources), most_files)]


def _expand(path: Path) -> Iterator[Source]:
    if path.is_dir():
        for found in sorted(path.rglob("*")):
            within = found.relative_to(path)
            if found.is_file() and _is_image(PurePosixPath(within.as_posix())):
                yield OnDisk(found, found.stat().st_size)
    elif path.suffix.lower() == ".zip":
        yield from _members(path)
    else:
        with path.open("rb"):
            yield OnDisk(path, path.stat().st_size)


def _members(path: Path) -> Iterator[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            for info in sorted(archive.infolist(), key=lambda info: info.filename):
                if not info.is_dir() and _is_image(PurePosixPath(info.filename)):
                    if info.flag_bits & 1:
                        raise OSError(f"{path}: {info.filename} is encrypted; unpack it first.")
                    yield ZipMember(path, info.filename, info.file_size)
    except zipfile.BadZipFile as error:
        raise OSError(f"{path} is no ZIP archive: {error}.") from error


def _is_image(path: PurePosixPath) -> bool:
    # Hidden files, and what macOS puts beside the photos of its ZIPs.
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return path.suffix.lower() in ENDINGS and not hidden
