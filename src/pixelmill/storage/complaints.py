"""What is wrong with the settings of an object store, in a sentence that names the one to mend and shows no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pixelmill.errors import PixelmillError


@dataclass(frozen=True)
class Complaints:
    """``bucket`` as the user knows it; ``names`` tells the settings' names for ``bucket``, ``key`` … of this store."""

    bucket: str
    names: Mapping[str, str]
    endpoint: str | None = None

    def about(self, code: str, status: int) -> PixelmillError:
        """The error for the store's own error ``code``, or for the HTTP ``status`` when it gave none."""
        return PixelmillError("storage-unavailable", self._sentence(code, status))

    def _sentence(self, code: str, status: int) -> str:
        names = self.names
        match code:
            case "NoSuchBucket" | "ContainerNotFound" | "InvalidBucketName" | "InvalidResourceName":
                return f"There is no bucket {self.bucket}: create it, or mend {names['bucket']}."
            case "InvalidAccessKeyId":
                return f"Storage does not know the access key: mend {names['key']}."
            case "SignatureDoesNotMatch" | "AuthenticationFailed":
                return f"Storage refuses the secret key: mend {names['secret']}."
            case "InvalidToken" | "ExpiredToken":
                return f"The session token is wrong or over: mend {names['token']}."
            case "NoCredentials":
                return f"There are no keys for storage: set {names['key']} and {names['secret']}."
            case "AuthorizationHeaderMalformed" | "PermanentRedirect" | "TemporaryRedirect":
                return f"The bucket {self.bucket} is in another region: mend {names['region']}."
            case "no answer":
                where = f"at {self.endpoint}" if self.endpoint else "at its usual address"
                return f"Storage does not answer {where}: check that it runs, or mend {names['endpoint']}."
        if code == "AccessDenied" or status in (401, 403):
            return f"The keys do not allow to use the bucket {self.bucket}: let them list, read, write and delete."
        if status in (301, 307, 308):
            return f"The bucket {self.bucket} is elsewhere: mend {names['region']} or {names['endpoint']}."
        if status == 404:
            return f"There is no bucket {self.bucket}: create it, or mend {names['bucket']} or {names['endpoint']}."
        return f"Storage answers with an error ({code}): check {names['endpoint']} and the store itself."


S3_NAMES = {
    "bucket": "PIXELMILL_STORAGE_URL (or AWS_BUCKET_NAME)",
    "key": "AWS_ACCESS_KEY_ID",
    "secret": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
    "region": "AWS_REGION",
    "endpoint": "AWS_ENDPOINT_URL",
}
AZURE_NAMES = {
    "bucket": "PIXELMILL_STORAGE_URL",
    "key": "AZURE_STORAGE_ACCOUNT_NAME",
    "secret": "AZURE_STORAGE_ACCOUNT_KEY",
    "token": "AZURE_STORAGE_SAS_TOKEN",
    "region": "AZURE_STORAGE_ACCOUNT_NAME",
    "endpoint": "AZURE_STORAGE_ENDPOINT",
}
GOOGLE_NAMES = {
    "bucket": "PIXELMILL_STORAGE_URL",
    "key": "GOOGLE_APPLICATION_CREDENTIALS",
    "secret": "GOOGLE_APPLICATION_CREDENTIALS",
    "token": "GOOGLE_APPLICATION_CREDENTIALS",
    "region": "PIXELMILL_STORAGE_URL",
    "endpoint": "PIXELMILL_STORAGE_URL",
}
