from __future__ import annotations

import json
import re

import pytest
import pyvips
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts import licences, sbom


def test_packages_and_the_codecs_in_them_are_listed_with_their_versions() -> None:
    text = JsonV1Dot6(sbom.make()).output_as_string()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    parts = {part["bom-ref"]: part for part in document["components"]}
    assert parts["pyvips-binary/libvips"]["version"] == ".".join(str(pyvips.version(part)) for part in range(3))
    # Each codec that reads a stranger's bytes.
    inside_libvips = ("aom", "mozjpeg", "webp", "heif", "rsvg", "png", "tiff", "cgif", "exif", "lcms")
    codecs = {f"pyvips-binary/{name}" for name in inside_libvips}
    codecs |= {"pi-heif/libheif", "pi-heif/libde265", "imagecodecs/libjxl", "pillow/webp", "pillow/avif"}
    assert codecs <= set(parts)
    assert all(part["version"][:1].isdigit() for name, part in parts.items() if name in codecs)
    assert parts["pypi/fastapi"]["purl"].startswith("pkg:pypi/fastapi@")
    assert parts["pypi/fastapi"]["hashes"]
    inside = {one["ref"]: one.get("dependsOn", []) for one in document["dependencies"]}
    assert "pyvips-binary/libvips" in inside["pypi/pyvips-binary"]


def test_what_says_its_version_says_what_the_table_has() -> None:
    """Else the table would be of another build."""
    said = sbom.inside_vips()
    assert {"aom", "archive", "glib", "mozjpeg", "png"} <= set(said)
    assert {name: version for name, version in said.items() if name in sbom.BUILT_WITH} == {
        name: version for name, version in sbom.BUILT_WITH.items() if name in said
    }


def test_the_table_is_of_the_libvips_that_is_pinned() -> None:
    """A new pyvips-binary needs a new table."""
    pinned = re.search(r"^pyvips-binary==([\d.]+)", licences.RUNTIME.read_text(), re.MULTILINE)
    assert pinned and pinned[1] == sbom.LIBVIPS


def test_another_libvips_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbom, "LIBVIPS", "8.0.0")
    with pytest.raises(LookupError, match=re.escape("versions.json")):
        list(sbom.bundled())


def test_no_copy_of_libwebp_is_older_than_its_worst_fault_s_end() -> None:
    """CVE-2023-4863: lossless WebP wrote beyond its memory; statically linked copies had to be mended one by one."""
    copies = {package: version for package, name, version in sbom.bundled() if name in ("webp", "libwebp")}
    assert {"pyvips-binary", "pillow"} <= set(copies)
    for package, version in copies.items():
        assert tuple(map(int, version.split("."))) >= (1, 3, 2), package
