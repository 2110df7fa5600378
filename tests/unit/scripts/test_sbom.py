from __future__ import annotations

import json

import pyvips
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts import sbom


def test_packages_and_the_codecs_in_them_are_listed_with_their_versions() -> None:
    text = JsonV1Dot6(sbom.make()).output_as_string()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    parts = {part["bom-ref"]: part for part in document["components"]}
    assert parts["pyvips-binary/libvips"]["version"] == ".".join(str(pyvips.version(part)) for part in range(3))
    # Each codec that reads a stranger's bytes.
    codecs = {"pyvips-binary/aom", "pyvips-binary/mozjpeg", "pi-heif/libheif", "pi-heif/libde265", "imagecodecs/libjxl"}
    assert codecs <= set(parts)
    assert all(part["version"][:1].isdigit() for name, part in parts.items() if name in codecs)
    assert parts["pypi/fastapi"]["purl"].startswith("pkg:pypi/fastapi@")
    assert parts["pypi/fastapi"]["hashes"]
    inside = {one["ref"]: one.get("dependsOn", []) for one in document["dependencies"]}
    assert "pyvips-binary/libvips" in inside["pypi/pyvips-binary"]
