"""AWS clients: the only file of this package that imports boto3, and only when a client is needed.

Credentials, region and endpoint are resolved by boto3: environment variables such as
``AWS_ENDPOINT_URL``, ``~/.aws``, or the role of the machine or function.

:func:`answered` translates boto3's errors::

    UsageError                 exit 2   no region, no such profile, an invalid endpoint URL
    EnvironmentMissingError
    ├── CredentialsError       exit 4   none, expired ones, or a missing permission
    └── UnreachableError       exit 4   no answer, or throttling on every attempt
    AwsError                   exit 2   AWS refused the request
    └── MissingResourceError   exit 2   the name, bucket or version does not exist

The Lambda function contains this file too, but nothing of ``serverless.deploy``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from edge_runtime.common.errors import EnvironmentMissingError, SnapshipError, UsageError
from edge_runtime.common.text import shortened

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60

INVOKE_TIMEOUT_S = 910
"""A function may take 900 s; a shorter timeout would make the client invoke it twice."""

ATTEMPTS = 5
"""Attempts per call, with growing pauses, if AWS is busy or throttles."""

MAX_SAID = 600
"""Maximum characters quoted from AWS's message, which may repeat the request."""

_LOGIN_CODES = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
}

_DENIED_CODES = {"403", "AccessDenied", "AccessDeniedException", "Forbidden", "UnauthorizedOperation"}

_MISSING_CODES = {
    "404",
    "NoSuchBucket",
    "NoSuchEntity",
    "NoSuchKey",
    "NoSuchVersion",
    "NotFound",
    "NotFoundException",
    "ParameterNotFound",
    "ResourceNotFoundException",
}

_BUSY_CODES = {
    "LimitExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}


class CredentialsError(EnvironmentMissingError):
    """No AWS credentials, or ones without the necessary permission."""


class UnreachableError(EnvironmentMissingError):
    """AWS, or its stand-in, does not answer."""


class AwsError(SnapshipError):
    """AWS refused a request; the message gives its reason."""

    http_status = 500


class MissingResourceError(AwsError):
    """The requested resource does not exist in the account and region."""


class Connection:
    """Clients for one account and region, created on first use."""

    def __init__(self, region: str | None = None, profile: str | None = None) -> None:
        """Resolves region and credentials without calling AWS.

        Args:
            region: None takes boto3's default.
            profile: A profile of ``~/.aws``; None takes boto3's default.

        Raises:
            EnvironmentMissingError: boto3 is not installed.
            UsageError: There is no region, or no such profile.
        """
        try:
            import boto3
        except ModuleNotFoundError as error:
            raise EnvironmentMissingError.of_extra("The cloud", "boto3", "deploy") from error
        with answered("Connecting"):
            self._session = boto3.Session(profile_name=profile, region_name=region)
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str:
        """The region, e.g. ``eu-central-1``.

        Raises:
            UsageError: None is set.
        """
        region: str | None = self._session.region_name
        if not region:
            raise UsageError(
                "A region must be known. Received: none. Pass --region, or set AWS_DEFAULT_REGION or AWS_REGION."
            )
        return region

    @cached_property
    def account(self) -> str:
        """The account number; calls AWS once.

        Raises:
            SnapshipError: As in :func:`answered`.
        """
        with answered("Asking whose credentials these are"):
            return str(self.client("sts").get_caller_identity()["Account"])

    def client(self, service: str) -> Any:
        """A client for a service, created once.

        Args:
            service: For example ``"s3"``.

        Raises:
            UsageError: There is no region, or the endpoint is not a URL.
        """
        if service not in self._clients:
            from botocore.config import Config

            # Adaptive: slows down by itself when AWS throttles.
            retries: dict[str, Any] = {"mode": "adaptive"}
            if "AWS_MAX_ATTEMPTS" not in os.environ:
                retries["total_max_attempts"] = ATTEMPTS
            config = Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=INVOKE_TIMEOUT_S if service == "lambda" else READ_TIMEOUT_S,
                retries=retries,
                tcp_keepalive=True,
                user_agent_extra="snapship",
            )
            with answered(f"Connecting to {service}"):
                self._clients[service] = self._session.client(service, region_name=self.region, config=config)
        return self._clients[service]

    def signed(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], service: str
    ) -> dict[str, str]:
        """Signs an HTTP request (Signature Version 4).

        Args:
            method: For example ``"POST"``.
            url: The whole URL.
            body: The body to send.
            headers: Headers to send and sign.
            service: ``lambda`` for a function URL, ``execute-api`` for an HTTP API.

        Returns:
            All headers to send.

        Raises:
            CredentialsError: There are none.
        """
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import NoCredentialsError

        with answered(f"Calling {url}"):
            credentials = self._session.get_credentials()
            if credentials is None:
                raise NoCredentialsError()
            request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
            SigV4Auth(credentials.get_frozen_credentials(), service, self.region).add_auth(request)
        return {str(name): str(value) for name, value in request.headers.items()}


def client(service: str) -> Any:
    """Makes a client for an AWS service with boto3's default region and credentials.

    Args:
        service: For example ``"s3"``.

    Raises:
        EnvironmentMissingError: boto3 is not installed.
        UsageError: There is no region.
    """
    return Connection().client(service)


@contextmanager
def answered(what: str) -> Iterator[None]:
    """Translates what boto3 raises in the block into one-line errors.

    Args:
        what: What is being done, as the start of a sentence: ``"Uploading the code"``.

    Raises:
        CredentialsError: No credentials, expired ones, or a missing permission, which is named.
        UnreachableError: No answer, or throttling on every attempt.
        MissingResourceError: The resource does not exist.
        UsageError: The region, profile or endpoint URL is missing or invalid.
        AwsError: Anything else that AWS or boto3 refuses.
    """
    try:
        yield
    except SnapshipError:
        raise
    except Exception as error:
        found = _translated(what, error)
        if found is None:
            raise
        raise found from error


class Ignoring:
    """Suppresses AWS's errors with one of the codes, e.g. of something that is already gone."""

    def __init__(self, *codes: str) -> None:
        """Takes codes as :func:`code_of` gives them."""
        self._codes = codes

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, type: object, error: BaseException | None, trace: object) -> bool:
        """Whether the error is suppressed."""
        return error is not None and code_of(error) in self._codes


def code_of(error: BaseException) -> str:
    """AWS's code of an error, such as ``NoSuchKey``; empty for any other exception."""
    response = getattr(error, "response", None)
    found = response.get("Error", {}) if isinstance(response, dict) else {}
    return str(found.get("Code", ""))


def _translated(what: str, error: Exception) -> SnapshipError | None:
    from botocore import exceptions as aws
    from botocore.parsers import ResponseParserError

    login = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, pass --profile, or run: aws configure"
    if isinstance(error, aws.ClientError):
        return _refused(what, error)
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError):
        return CredentialsError(f"{what} needs AWS credentials. Received: {_line(error)} {login}")
    if isinstance(
        error,
        aws.CredentialRetrievalError | aws.SSOError | aws.TokenRetrievalError | aws.UnauthorizedSSOTokenError,
    ):
        return CredentialsError(
            f"{what} needs AWS credentials. Received: {_line(error)} Log in again: aws sso login, or aws configure"
        )
    if isinstance(error, aws.ProfileNotFound | aws.NoRegionError | aws.InvalidRegionError):
        return UsageError(
            f"{what} needs a profile and region that exist. Received: {_line(error)} Check --profile and --region."
        )
    if isinstance(error, aws.ConnectionError | aws.HTTPClientError | ResponseParserError):
        # Connection refused, timeouts, DNS, proxies, TLS; or a page from another server.
        return UnreachableError(
            f"{what} needs AWS to answer. Received: {_line(error)} "
            "Check the network, --region, and AWS_ENDPOINT_URL if it is set."
        )
    if isinstance(error, aws.BotoCoreError):
        return AwsError(
            f"{what} must be accepted by AWS. Received: {_line(error)} "
            "Correct the request, or check ~/.aws and the version of boto3."
        )
    if isinstance(error, ValueError) and "Invalid endpoint" in str(error):
        return UsageError(
            f"{what} needs a valid endpoint URL. Received: {_line(error)} Check AWS_ENDPOINT_URL."
        )
    return None


def _refused(what: str, error: Any) -> SnapshipError:
    code, message = code_of(error), str(error.response.get("Error", {}).get("Message", "")).strip()
    operation = str(getattr(error, "operation_name", ""))
    said = f"{code}: {shortened(message, MAX_SAID)}" if message else code
    if not said.endswith("."):
        said += "."
    if code in _LOGIN_CODES:
        return CredentialsError(
            f"{what} needs valid AWS credentials. Received: {said} Log in again, or check the keys and the local clock."
        )
    if code in _DENIED_CODES:
        named = re.search(r"perform: ([a-z0-9-]+:[A-Za-z]+)", message)
        action = named[1] if named else operation
        return CredentialsError(
            f"{what} needs the permission {action}. Received: {said} Ask the account's administrator for it."
        )
    if code in _BUSY_CODES:
        return UnreachableError(
            f"{what} must not exceed AWS's rate. Received: {said} Wait a little and try again."
        )
    if code in _MISSING_CODES or "does not exist" in message:
        return MissingResourceError(
            f"{what} needs a resource that does not exist. Received: {said} Check the name and --region."
        )
    return AwsError(
        f"{what} must be accepted by AWS ({operation}). Received: {said} "
        "Correct the request, then repeat the command."
    )


def _line(error: BaseException) -> str:
    text = shortened(error, MAX_SAID)
    return text if text.endswith(".") else f"{text}."
