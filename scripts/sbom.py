"""Write what the service is made of to build/sbom.json, as CycloneDX (`make sbom`).

Its Python packages with their hashes, and what their wheels carry: the codecs. Their versions are asked of the loaded
libraries, or read in them. Most of what is linked into libvips says none: that is from the table of its build.
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
#: What libraries that are linked into libvips write into themselves: these are read in it.
_INSIDE_VIPS = {
    "aom": rb"AOMedia Project AV1 Encoder v([\d.]+)",
    "archive": rb"libarchive (\d[\d.]+)",
    "glib": rb"<!-- GDBus ([\d.]+) -->",
    "mozjpeg": rb"mozjpeg version ([\d.]+)",
    "png": rb"\0(1\.6\.\d+)\0",
}
#: The libvips that this table is of, and what is linked into it, by the names of the table; libvips' GIF reader,
#: libnsgif, is part of its own source. The wheel of pyvips-binary leaves the build's versions.json out. This is the one
#: of @img/sharp-libvips-linux-x64 1.3.4, for the same libvips by the same recipe, which libvips-packaging follows; the
#: libraries that do say their version agree with it.
LIBVIPS = "8.18.7"
BUILT_WITH = {
    "aom": "3.15.1",
    "archive": "3.8.9",
    "cairo": "1.18.6",
    "cgif": "0.5.4",
    "exif": "0.6.26",
    "expat": "2.8.5",
    "ffi": "3.8.0",
    "fontconfig": "2.18.3",
    "freetype": "2.14.3",
    "fribidi": "1.0.17",
    "glib": "2.90.0",
    "harfbuzz": "14.5.0",
    "heif": "1.23.5",
    "highway": "1.4.0",
    "imagequant": "2.4.1",
    "lcms": "2.19.1",
    "pango": "1.58.2",
    "pixman": "0.46.4",
    "png": "1.6.58",
    "rsvg": "2.63.2",
    "tiff": "4.7.2",
    "uhdr": "2.0.2",
    "webp": "1.6.0",
    "xml2": "2.15.4",
    "zlib-ng": "2.3.3",
}


def inside_vips() -> dict[str, str]:
    """The libraries that say their version in the file that libvips is, with it."""
    import pyvips

    library = next(Path(pyvips.__file__).parent.parent.glob("pyvips_binary.libs/libvips*"))
    content = library.read_bytes()
    found = {name: re.search(pattern, content) for name, pattern in _INSIDE_VIPS.items()}
    return {name: match[1].decode().rstrip(".") for name, match in found.items() if match}


def bundled() -> Iterator[tuple[str, str, str]]:
    """Package, name and version of each library that a wheel carries.

    Raises LookupError when pyvips-binary has another libvips than the one whose libraries are known here.
    """
    import imagecodecs
    import pi_heif
    import pyvips
    import simplejpeg
    from PIL import AvifImagePlugin, features

    libvips = ".".join(str(pyvips.version(part)) for part in range(3))
    if libvips != LIBVIPS:
        raise LookupError(f"libvips is {libvips}, and BUILT_WITH is of {LIBVIPS}: take its versions.json")
    yield "pyvips-binary", "libvips", libvips
    for name, version in (BUILT_WITH | inside_vips()).items():
        yield "pyvips-binary", name, version
    told = pi_heif.libheif_info()
    yield "pi-heif", "libheif", told["libheif"]
    for decoder in told["decoders"].values():
        if match := re.match(r"(\S+) .*version ([\d.]+)", decoder):
            yield "pi-heif", match[1], match[2]
    own = imagecodecs.__version__
    for name, version in imagecodecs.version(dict).items():
        if name not in ("imagecodecs", "cython", "numpy", "numpy_abi") and version not in {*_UNKNOWN, own}:
            yield "imagecodecs", name, version.partition("/")[0]
    for path in (Path(imagecodecs.__file__).parent.parent / "imagecodecs.libs").glob("libaom-*.so.*"):
        yield "imagecodecs", "aom", path.name.partition(".so.")[2]
    for feature in ("freetype2", "littlecms2", "webp", "avif", "jpg_2000", "libtiff", "libjpeg_turbo", "raqm"):
        if (version := features.version(feature)) not in _UNKNOWN:
            yield "pillow", feature, str(version)
    if match := re.search(rb"libjpeg-turbo version ([\d.]+)", Path(simplejpeg._jpeg.__file__).read_bytes()):
        yield "simplejpeg", "libjpeg_turbo", match[1].decode()
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
