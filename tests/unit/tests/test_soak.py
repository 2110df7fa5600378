"""What the soak says of samples that are known; the soak itself takes an hour."""

from __future__ import annotations

from typing import Any

from tests.chaos import soak

MB = 1e6


def samples(worker: float, decoder: float, outlier: float = 0.0) -> list[dict[str, Any]]:
    """An hour of them, in which the worker and each new decoder hold so many bytes an hour more."""
    made: list[dict[str, Any]] = []
    for number in range(360):
        at = 10.0 * number
        generation = number // 20
        held = 140 * MB + decoder * generation / 18 + (outlier if generation % 5 == 2 else 0) + (number % 20) * 1000
        made.append(
            {
                "at": at,
                "memory": {"worker": 80 * MB + worker * at / 3600 + number % 2 * MB, "decoder": held},
                "decoders": {str(generation): held},
                "files": {"worker": 30, "decoder": 9},
                "disk": {"database": 60 * MB},
                "answered": [0.1, 0.2],
                "ended": [1.0, 2.0],
                "load": [4.0],
            }
        )
    return made


def test_what_is_flat_passes() -> None:
    assert soak.judge(samples(0, 0, outlier=24 * MB))["broken"] == []


def test_what_grows_is_told() -> None:
    grown = soak.judge(samples(3 * MB, 4 * MB, outlier=24 * MB))
    assert grown["broken"] == [
        "memory of worker grows by 3.0 MB an hour",
        "memory of decoder grows by 4.0 MB an hour",
    ]


def test_a_decoder_that_is_never_replaced_and_grows_is_told() -> None:
    grown = [one | {"decoders": {"1": 140 * MB + 5 * MB * one["at"] / 3600}} for one in samples(0, 0)]
    assert soak.judge(grown)["broken"] == ["memory of decoder grows by 5.0 MB an hour"]


def test_what_takes_longer_and_longer_is_told() -> None:
    slower = [one | {"answered": [0.1 * (1 + (one["at"] / 2000) ** 2), 0.2]} for one in samples(0, 0)]
    (told,) = soak.judge(slower)["broken"]
    assert told.startswith("it takes longer until the 202: 0.2")
    assert soak.judge([one | {"load": [2 + one["at"] / 100]} for one in slower])["broken"] == []
