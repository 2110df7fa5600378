from __future__ import annotations

import pytest

from scripts import licences


@pytest.mark.parametrize(
    ("expression", "fit"),
    [
        ("MIT", True),
        ("MIT AND PSF-2.0", True),
        ("GPL-3.0-only OR MIT", True),
        ("(Apache-2.0 OR GPL-2.0-only)", True),
        ("GPL-3.0-or-later", False),
        ("MIT AND AGPL-3.0-only", False),
        ("", False),
    ],
)
def test_what_fits(expression: str, fit: bool) -> None:
    assert licences.fits(expression) is fit


def test_every_package_of_the_service_has_a_licence_that_fits() -> None:
    packages = list(licences.installed())
    assert {"pyvips", "fastapi", "bullmq"} <= {package.name for package in packages}
    assert [package.name for package in packages if not licences.fits(licences.licence(package))] == []
