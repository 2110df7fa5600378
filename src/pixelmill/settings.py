"""Every setting, once, with its meaning.

Read from the environment and from a ``.env`` file in the working directory. Our own names start with
``PIXELMILL_``; the names of the stacks people come from (``REDIS_URL``, ``AWS_REGION`` …) are honoured too.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import AliasChoices, Field, PositiveFloat, PositiveInt, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MEGABYTE = 1024 * 1024


def _alias(name: str, *others: str) -> AliasChoices:
    return AliasChoices(f"PIXELMILL_{name}", *others)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="PIXELMILL_", env_file=".env", extra="ignore", populate_by_name=True, frozen=True
    )

    # Where it listens and where it keeps things
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        3000, validation_alias=_alias("PORT", "PORT"), description="Port to listen on."
    )
    data_dir: Path = Field(Path("pixelmill-data"), description="Folder of the embedded Valkey, SQLite and files.")

    # The parts, embedded unless an address is given
    redis_url: SecretStr | None = Field(
        None, validation_alias=_alias("REDIS_URL", "REDIS_URL"), description="Redis or Valkey; embedded if not set."
    )
    redis_host: str | None = Field(None, validation_alias="REDIS_HOST", description="Used when no URL is given.")
    redis_port: int = Field(6379, validation_alias="REDIS_PORT")
    redis_password: SecretStr | None = Field(None, validation_alias="REDIS_PASSWORD")
    database_url: SecretStr | None = Field(
        None,
        validation_alias=_alias("DATABASE_URL", "DATABASE_URL"),
        description="PostgreSQL or MySQL; SQLite if not set.",
    )
    storage_url: str | None = Field(
        None, description="`s3://bucket/prefix`, `gs://…`, `az://…`; a folder in the data folder if not set."
    )
    storage_public_url: str | None = Field(
        None, description="Address of the S3 endpoint as clients reach it, where it differs; presigned URLs carry it."
    )
    storage_presign: bool = Field(
        True, description="Send clients to S3 itself by presigned URLs; `false` where they cannot reach it."
    )
    aws_bucket_name: str | None = Field(
        None, validation_alias=AliasChoices("AWS_BUCKET_NAME", "AWS_BUCKET"), description="Alone: `s3://` that bucket."
    )
    aws_region: str | None = Field(None, validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION"))
    aws_access_key_id: str | None = Field(
        None, validation_alias="AWS_ACCESS_KEY_ID", description="Key of S3; the machine's role if not set."
    )
    aws_secret_access_key: SecretStr | None = Field(None, validation_alias="AWS_SECRET_ACCESS_KEY")
    aws_session_token: SecretStr | None = Field(None, validation_alias="AWS_SESSION_TOKEN")
    aws_endpoint_url: str | None = Field(
        None,
        validation_alias=AliasChoices("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
        description="Address of a server that speaks S3; Amazon's if not set.",
    )
    cloudinary_url: SecretStr | None = Field(
        None,
        validation_alias=_alias("CLOUDINARY_URL", "CLOUDINARY_URL"),
        description="`cloudinary://key:secret@cloud/folder`: each result is sent there too, and its address told.",
    )
    queue_name: str = Field("images", description="Name of the BullMQ queue.")

    # What is taken
    max_files: PositiveInt = Field(10, description="Most files in one request.")
    max_file_bytes: PositiveInt = Field(5 * MEGABYTE, description="Most bytes of one file.")
    max_pixels: PositiveInt = Field(100_000_000, description="Most pixels of one image, all its frames counted.")
    max_dimension: PositiveInt = Field(32_000, description="Largest width or height of an image taken.")
    max_frames: PositiveInt = Field(300, description="Most frames of an animation.")
    max_variants: PositiveInt = Field(50, description="Most variants of one recipe.")
    max_output_pixels: PositiveInt = Field(
        50_000_000, description="Most pixels of one variant; all of an image together: ten times as many."
    )
    max_enlargement: PositiveFloat = Field(8.0, description="Largest factor by which a side may be enlarged.")
    header_seconds: PositiveFloat = Field(15.0, description="Longest time that a request's headers may take to come.")
    upload_idle_seconds: PositiveFloat = Field(30.0, description="A request that sends nothing for so long is ended.")
    upload_seconds: PositiveFloat = Field(3600.0, description="Longest time that one request's body may take to come.")
    upload_min_rate: Annotated[int, Field(ge=0)] = Field(
        1024, description="Fewest bytes a second of a body, after its first 10 seconds; 0 for no such limit."
    )
    max_sources: PositiveInt = Field(100, description="Most sources in one request: URLs, uploads, keys, prefixes.")
    max_batch_images: PositiveInt = Field(10_000, description="Most images of one batch, all its prefixes counted.")
    fetch_seconds: PositiveFloat = Field(60.0, description="Longest time that fetching one image from a URL may take.")
    source_prefixes: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Folders in the service's own storage that `POST /batches` may take images from: `incoming/`, "
        "with or without the slash; commas between them. For keys of no tenant only. None unless set.",
    )
    upload_expire_seconds: PositiveFloat = Field(
        86400.0, description="An upload that no batch has taken is deleted so long after its last bytes."
    )
    max_json_bytes: PositiveInt = Field(MEGABYTE, description="Most bytes of a body that is neither form nor upload.")
    max_header_bytes: PositiveInt = Field(32 * 1024, description="Most bytes of one request's headers.")

    # How it is worked on
    workers: PositiveInt = Field(
        default_factory=lambda: max(2, (os.cpu_count() or 2) - 1), description="Decoder processes of one worker."
    )
    urgent_workers: Annotated[int, Field(ge=0)] = Field(
        1, description="More of them, kept for images that go first, so that one photo waits for no bulk job."
    )
    reuse: bool = Field(
        True, description="Give the same bytes with the same variant the result made before, for the same owner."
    )
    max_active: Annotated[int, Field(ge=0)] = Field(
        0, description="Most images worked on at a time by all workers together; 0: as many as they have places for."
    )
    batch_window: PositiveInt = Field(
        1000, description="Images of one batch that the queue knows at a time; the others wait their turn in SQL."
    )
    max_waiting: Annotated[int, Field(ge=0)] = Field(
        1_000_000, description="When so many images wait, new ones are answered 429 until there is room; 0: no limit."
    )
    tries: PositiveInt = Field(3, description="Tries of an image before it becomes a dead letter.")
    retry_seconds: PositiveFloat = Field(2.0, description="Wait before the second try; doubles each time, with jitter.")
    image_seconds: PositiveFloat = Field(120.0, description="Deadline of one variant; then its decoder is killed.")
    decoder_memory_bytes: PositiveInt = Field(3 * 1024 * MEGABYTE, description="Address space of one decoder process.")
    worker_memory_bytes: Annotated[int, Field(ge=0)] = Field(
        1024 * MEGABYTE,
        description="A worker that holds more itself, its decoders not counted, finishes what it has and is started "
        "again; 0: never.",
    )
    lease_seconds: PositiveFloat = Field(10.0, description="A worker whose lease has no beat for so long has lost it.")
    reconcile_seconds: PositiveFloat = Field(2.0, description="Time between two rounds of the reconciler.")
    nice: Annotated[int, Field(ge=0, le=19)] = Field(
        10, description="Lower priority of decoders (and half as much of workers), so that the API answers quickly."
    )
    grace_seconds: PositiveFloat = Field(20.0, description="Time to finish work after SIGTERM.")

    beat_file: Path | None = Field(
        None, description="A file that a running process touches every few seconds, for a liveness probe."
    )
    slot: str | None = Field(
        None,
        description="A place that one process has at a time; a new one takes over from a dead one at once.",
    )

    # Who may
    allow_open: bool = Field(
        False,
        validation_alias=_alias("OPEN"),
        description="Serve an address that others reach although there are no keys.",
    )
    allow_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Hosts that may be fetched from and called although they are not public: `name`, `name:port`, "
        "`*.domain`; commas between them.",
    )
    egress_proxy: SecretStr | None = Field(
        None,
        description="`http://user:password@proxy:3128`: sources and webhooks are called through it. It looks the names "
        "up, so it has to refuse private addresses too. The hosts allowed above are called without it.",
    )
    secret: SecretStr | None = Field(
        None,
        description="Signs sessions, tickets and links; the same on every machine. Several with spaces between them: "
        "the first signs, all are believed. Made in the data folder if not set.",
    )
    session_seconds: PositiveFloat = Field(12 * 3600.0, description="How long a browser stays signed in.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins whose pages may call the API with a key: `https://shop.example`, or `*` for all."
    )
    idempotency_seconds: PositiveFloat = Field(
        24 * 3600.0, description="How long the answer to an Idempotency-Key is kept."
    )
    requests_per_minute: Annotated[int, Field(ge=0)] = Field(
        60_000, description="Most requests of one key in a minute (of one address when there are no keys); 0: no limit."
    )
    bytes_per_day: Annotated[int, Field(ge=0)] = Field(
        1_000_000 * MEGABYTE, description="Most bytes that one key may send in a day; 0: no limit."
    )
    images_in_flight: Annotated[int, Field(ge=0)] = Field(
        100_000, description="Images of one owner that may wait or be worked on before more are refused; 0: no limit."
    )
    public_url: str | None = Field(
        None, description="Address of this service as others reach it: links in webhooks start with it."
    )

    # How long things are kept after the end of their batch: seconds, 0 for ever. Presets and batches may differ.
    keep_originals_seconds: Annotated[float, Field(ge=0)] = Field(7 * 86400.0, description="Originals: 7 days.")
    keep_results_seconds: Annotated[float, Field(ge=0)] = Field(
        30 * 86400.0, description="Results: 30 days. The record of a batch goes with the last of its bytes."
    )
    keep_deliveries_seconds: Annotated[float, Field(ge=0)] = Field(
        30 * 86400.0, description="The log of webhook messages that are over: 30 days."
    )

    presets_only: bool = Field(False, description="Take presets only, and no recipe that a client writes.")
    presets_dir: Path | None = Field(None, description="Folder with presets of your own, one TOML file each.")
    log_level: str = Field("info", description="debug, info, warning or error.")

    @field_validator("allow_hosts", "cors_origins", "source_prefixes", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        """Words with commas or spaces between them."""
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("egress_proxy")
    @classmethod
    def _proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"https?://[^/]", value.get_secret_value()):
            raise ValueError("it must be http://host:port or https://host:port")
        return value

    @model_validator(mode="after")
    def _lock_to_presets(self) -> Settings:
        if self.presets_only:
            # Every place that takes a client's recipe hands this number to parse_recipe, which knows what 0 means.
            object.__setattr__(self, "max_variants", 0)
        return self

    @cached_property
    def redis(self) -> str | None:
        """The address of Redis or Valkey; None when the embedded one is to be started."""
        if self.redis_url:
            return self.redis_url.get_secret_value()
        if self.redis_host:
            password = f":{quote(self.redis_password.get_secret_value())}@" if self.redis_password else ""
            return f"redis://{password}{self.redis_host}:{self.redis_port}/0"
        return None
