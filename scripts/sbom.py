"""Write what the service is made of to build/sbom.json, as CycloneDX (`make sbom`).

Its Python packages with their hashes, and what their wheels carry: the codecs. Their versions are asked of the loaded
libraries, or read in them; what says no version of itself is not in the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

import pixelmill
from scripts import licences

TARGET = licences.ROOT / "build" / "sbom.json"
_HASHES = re.compile(r"sha256:([0-9a-f]{64})")
_UNKNOWN = {"n/a", "unknown", "", None}
#: What libraries that are linked into libvips write into themselves.
_INSIDE_VIPS = {
    "aom": rb"AOMedia Project AV1 Encoder v([\d.]+)",
    "mozjpeg": rb"mozjpeg version ([\d.]+)",
    "libtiff": rb"LIBTIFF, Version ([\d.]+)",
    "libpng": rb"libpng version ([\d.]+)",
    "libdeflate": rb"libdeflate ([\d.]+)",
    "zlib-ng": rb"deflate [\d.]+ Copyright [^\0]* zlib-ng ([\d.]+)",
}


def bundled() -> Iterator[tuple[str, str, str]]:
    """Package, name and version of each library that a wheel carries."""
    import imagecodecs
    import pi_heif
    import pyvips
    from PIL import AvifImagePlugin, features

    yield "pyvips-binary", "libvips", ".".join(str(pyvips.version(part)) for part in range(3))
    library = next(Path(pyvips.__file__).parent.parent.glob("pyvips_binary.libs/libvips-*"))
    content = library.read_bytes()
    for name, pattern in _INSIDE_VIPS.items():
        if match := re.search(pattern, content):
            yield "pyvips-binary", name, match[1].decode().rstrip(".")
    told = pi_heif.libheif_info()
    yield "pi-heif", "libheif", told["libheif"]
    for decoder in told["decoders"].values():
        if match := re.match(r"(\S+) .*version ([\d.]+)", decoder):
            yield "pi-heif", match[1], match[2]
    own = imagecodecs.__version__
    for name, version in imagecodecs.version(dict).items():
        if name not in ("imagecodecs", "cython", "numpy", "numpy_abi") and version not in {*_UNKNOWN, own}:
            yield "imagecodecs", name, version.partition("/")[0]
    for feature in ("freetype2", "littlecms2", "webp", "avif", "jpg_2000", "libtiff", "libjpeg_turbo", "raqm"):
        if (version := features.version(feature)) not in _UNKNOWN:
            yield "pillow", feature, str(version)
    for codec in ("dav1d", "aom"):
        if version := AvifImagePlugin.get_codec_version(codec):
            yield "pillow", codec, version.partition("-")[0]


def hashes() -> dict[str, list[str]]:
    """By package: the SHA-256 of every file that the pins allow."""
    blocks = re.split(r"\n(?=[\w.-]+==)", licences.RUNTIME.read_text())
    return {block.partition("==")[0]: _HASHES.findall(block) for block in blocks if "==" in block}


def make() -> Bom:
    allowed = hashes()
    bom = Bom()
    bom.metadata.component = main_component = Component(
        name="pixelmill",
        version=pixelmill.__version__,
        type=ComponentType.APPLICATION,
        bom_ref="pixelmill",
        licenses=[LicenseExpression("Apache-2.0")],
    )
    packages = {}
    for package in licences.installed():
        name = package.name.lower().replace("_", "-")
        packages[name] = Component(
            name=name,
            version=package.version,
            type=ComponentType.LIBRARY,
            bom_ref=f"pypi/{name}",
            purl=PackageURL("pypi", name=name, version=package.version),
            licenses=[LicenseExpression(licences.licence(package))],
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in allowed.get(name, [])],
        )
        bom.components.add(packages[name])
    bom.register_dependency(main_component, packages.values())
    carried: dict[str, list[Component]] = {}
    for package, name, version in bundled():
        reference = f"{package}/{name}"
        purl = PackageURL("generic", name=name, version=version)
        inside = Component(name=name, version=version, type=ComponentType.LIBRARY, bom_ref=reference, purl=purl)
        bom.components.add(inside)
        carried.setdefault(package, []).append(inside)
    for package, components in carried.items():
        bom.register_dependency(packages[package], components)
    return bom


def main() -> None:
    bom = make()
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(JsonV1Dot6(bom).output_as_string(indent=1) + "\n")
    print(f"{TARGET.relative_to(licences.ROOT)}: {len(bom.components)} components")


if __name__ == "__main__":
    main()
