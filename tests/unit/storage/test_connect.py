"""Storage is chosen by settings, and a setting that fits nothing is named without its value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pixelmill.errors import PixelmillError
from pixelmill.settings import Settings
from pixelmill.storage import LocalStorage, connect
from pixelmill.storage.complaints import S3_NAMES, Complaints
from pixelmill.storage.object_store import ObjectStorage

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_REGION": "eu-west-1"}


@pytest.fixture
def given_env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def given(**env: str) -> Settings:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        return Settings(_env_file=None, data_dir=tmp_path)  # type: ignore[call-arg]

    return given


async def url(storage: Any, key: str = "a/b") -> str:
    assert isinstance(storage, ObjectStorage)
    return (await storage.presign_get(key, seconds=60) or "none").partition("?")[0]


def test_without_settings_it_is_a_folder_in_the_data_folder(given_env: Any, tmp_path: Path) -> None:
    storage = connect(given_env())
    assert isinstance(storage, LocalStorage)
    assert storage.path("a") == tmp_path / "files" / "a"


def test_a_folder_by_url(given_env: Any, tmp_path: Path) -> None:
    storage = connect(given_env(PIXELMILL_STORAGE_URL=f"file://{tmp_path}/with%20space"))
    assert storage.path("a") == tmp_path / "with space" / "a"


async def test_amazon_by_the_names_of_its_own_tools(given_env: Any) -> None:
    storage = connect(given_env(AWS_BUCKET_NAME="photos", **KEYS))
    assert await url(storage) == "https://photos.s3.eu-west-1.amazonaws.com/a/b"


async def test_a_bucket_with_dots_goes_into_the_path(given_env: Any) -> None:
    storage = connect(given_env(AWS_BUCKET_NAME="photos.example.com", **KEYS))
    assert await url(storage) == "https://s3.eu-west-1.amazonaws.com/photos.example.com/a/b"


async def test_our_url_goes_before_the_bucket_name(given_env: Any) -> None:
    storage = connect(given_env(PIXELMILL_STORAGE_URL="s3://ours/some/prefix/", AWS_BUCKET_NAME="photos", **KEYS))
    assert await url(storage) == "https://ours.s3.eu-west-1.amazonaws.com/some/prefix/a/b"


async def test_another_server_and_its_address_for_clients(given_env: Any) -> None:
    storage = connect(given_env(AWS_BUCKET_NAME="b", AWS_ENDPOINT_URL="http://minio:9000/", **KEYS))
    assert await url(storage) == "http://minio:9000/b/a/b"
    storage = connect(given_env(PIXELMILL_STORAGE_PUBLIC_URL="https://files.example"))
    assert await url(storage) == "https://files.example/b/a/b"


async def test_nothing_is_presigned_without_keys_or_when_told_not_to(given_env: Any) -> None:
    assert await url(connect(given_env(AWS_BUCKET_NAME="b"))) == "none"
    storage = connect(given_env(PIXELMILL_STORAGE_PRESIGN="false", **KEYS))
    assert await url(storage) == "none"
    assert await storage.presign_put("a", seconds=1, content_type="image/png", bytes=1) is None
    assert await storage.presign_post("a", seconds=1, content_type="image/png", bytes=1) is None


def test_empty_settings_are_none(given_env: Any) -> None:
    env = {"PIXELMILL_STORAGE_URL": "", "AWS_BUCKET_NAME": "", "AWS_ENDPOINT_URL": "", "AWS_SESSION_TOKEN": ""}
    assert isinstance(connect(given_env(**env)), LocalStorage)


@pytest.mark.parametrize(
    "value",
    [
        "ftp://host/x",
        "s3://",
        "bucket",
        "/srv/files",
        "file://",
        "s3://AKID:very-secret@bucket",
        "s3://b?key=very-secret",
    ],
)
def test_a_url_that_names_no_storage_is_refused_by_the_settings_name(given_env: Any, value: str) -> None:
    with pytest.raises(PixelmillError, match="PIXELMILL_STORAGE_URL") as caught:
        connect(given_env(PIXELMILL_STORAGE_URL=value))
    assert caught.value.code == "storage-unavailable"
    assert "very-secret" not in str(caught.value)


def test_google_with_a_key_file_that_is_none(given_env: Any, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text('{"private_key": "very-secret"')
    env = {"PIXELMILL_STORAGE_URL": "gs://b", "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json")}
    with pytest.raises(PixelmillError, match="GOOGLE_APPLICATION_CREDENTIALS") as caught:
        connect(given_env(**env))
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "status", "setting"),
    [
        ("NoSuchBucket", 404, "PIXELMILL_STORAGE_URL"),
        ("InvalidAccessKeyId", 403, "AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", 403, "AWS_SECRET_ACCESS_KEY"),
        ("ExpiredToken", 400, "AWS_SESSION_TOKEN"),
        ("AuthorizationHeaderMalformed", 400, "AWS_REGION"),
        ("HTTP status 301", 301, "AWS_REGION"),
        ("NoCredentials", 0, "AWS_ACCESS_KEY_ID"),
        ("no answer", 0, "http://minio:9000"),
        ("HTTP status 404", 404, "AWS_ENDPOINT_URL"),
        ("AccessDenied", 403, "list, read, write and delete"),
        ("InternalError", 500, "InternalError"),
    ],
)
def test_what_the_store_says_becomes_the_setting_to_mend(code: str, status: int, setting: str) -> None:
    error = Complaints("photos", S3_NAMES, "http://minio:9000").about(code, status)
    assert error.code == "storage-unavailable"
    assert setting in error.detail
