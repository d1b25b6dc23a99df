"""AWS: the one file of this house that imports boto3, and only when a client is asked for.

Credentials, region and endpoint are boto3's own matter: environment variables such as
``AWS_ENDPOINT_URL``, ``~/.aws``, or the role of the machine or function.

What goes wrong there becomes an error of ours in :func:`answered`::

    UsageError                 exit 2   no region, no such profile, an endpoint that is no URL
    EnvironmentMissingError
    ├── CredentialsError       exit 4   none, expired ones, or a permission that lacks
    └── UnreachableError       exit 4   no answer, or "slow down" to every try
    AwsError                   exit 2   AWS refused what was asked for
    └── MissingResourceError   exit 2   it is not there: a name, a bucket, a version

The function in the cloud has this file too, and nothing of ``serverless.deploy``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from edge_runtime.errors import EnvironmentMissingError, SnapshipError, UsageError
from edge_runtime.quoting import shortened

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60

INVOKE_TIMEOUT_S = 910
"""A function may take 900 s; an answer that comes later than the client waits would be asked for twice."""

ATTEMPTS = 5
"""Of one call, with growing pauses, where AWS is busy or says "slow down"."""

MAX_SAID = 600
"""Characters of what AWS says that are repeated; it may repeat what it was asked."""

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
    """No credentials for AWS, or ones that may not do what is asked for."""


class UnreachableError(EnvironmentMissingError):
    """AWS, or what stands in for it, that does not answer."""


class AwsError(SnapshipError):
    """What AWS refused, with its reason."""

    http_status = 500


class MissingResourceError(AwsError):
    """What was asked for is not in the account and region."""


class Connection:
    """Clients of one account and region, made when they are first used."""

    def __init__(self, region: str | None = None, profile: str | None = None) -> None:
        """Finds region and credentials; asks nothing of AWS.

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
        """Such as ``eu-central-1``.

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
        """Number of the account; asks AWS once.

        Raises:
            SnapshipError: As in :func:`answered`.
        """
        with answered("Asking whose credentials these are"):
            return str(self.client("sts").get_caller_identity()["Account"])

    def client(self, service: str) -> Any:
        """A client of a service, made once.

        Args:
            service: Such as ``"s3"``.

        Raises:
            UsageError: There is no region, or the endpoint is no URL.
        """
        if service not in self._clients:
            from botocore.config import Config

            # Adaptive: slows down by itself when AWS says that it is asked too often.
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
            method: Such as ``"POST"``.
            url: The whole URL.
            body: What will be sent.
            headers: What will be sent and is to be signed.
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
    """Makes a client of an AWS service, with boto3's default region and credentials.

    Args:
        service: Such as ``"s3"``.

    Raises:
        EnvironmentMissingError: boto3 is not installed.
        UsageError: There is no region.
    """
    return Connection().client(service)


@contextmanager
def answered(what: str) -> Iterator[None]:
    """Turns what boto3 raises within into errors of ours, of one line.

    Args:
        what: What is being done, as the beginning of a sentence: ``"Uploading the code"``.

    Raises:
        CredentialsError: No credentials, expired ones, or a permission is missing, which is named.
        UnreachableError: No answer, or "slow down" to every try.
        MissingResourceError: What was asked for is not there.
        UsageError: No region, profile or URL of an endpoint.
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
            f"{what} needs AWS credentials. Received: {_line(error)} Log in anew: aws sso login, or aws configure"
        )
    if isinstance(error, aws.ProfileNotFound | aws.NoRegionError | aws.InvalidRegionError):
        return UsageError(
            f"{what} needs a profile and region that exist. Received: {_line(error)} Check --profile and --region."
        )
    if isinstance(error, aws.ConnectionError | aws.HTTPClientError | ResponseParserError):
        # Connection refused, timeouts, names that do not resolve, proxies, TLS; a page of somebody else.
        return UnreachableError(
            f"{what} needs AWS to answer. Received: {_line(error)} "
            "Check the network, --region, and AWS_ENDPOINT_URL if it is set."
        )
    if isinstance(error, aws.BotoCoreError):
        return AwsError(
            f"{what} must be accepted by AWS. Received: {_line(error)} "
            "Change what it names, or check ~/.aws and the version of boto3."
        )
    if isinstance(error, ValueError) and "Invalid endpoint" in str(error):
        return UsageError(f"{what} needs a URL as endpoint. Received: {_line(error)} Check AWS_ENDPOINT_URL.")
    return None


def _refused(what: str, error: Any) -> SnapshipError:
    code, message = code_of(error), str(error.response.get("Error", {}).get("Message", "")).strip()
    operation = str(getattr(error, "operation_name", ""))
    said = f"{code}: {shortened(message, MAX_SAID)}" if message else code
    if not said.endswith("."):
        said += "."
    if code in _LOGIN_CODES:
        return CredentialsError(
            f"{what} needs valid AWS credentials. Received: {said} Log in anew, or check the keys and this clock."
        )
    if code in _DENIED_CODES:
        named = re.search(r"perform: ([a-z0-9-]+:[A-Za-z]+)", message)
        action = named[1] if named else operation
        return CredentialsError(
            f"{what} needs the permission {action}. Received: {said} Ask the account's administrator for it."
        )
    if code in _BUSY_CODES:
        return UnreachableError(
            f"{what} must not exceed AWS's rate. Received: {said} Wait a little and repeat."
        )
    if code in _MISSING_CODES or "does not exist" in message:
        return MissingResourceError(
            f"{what} needs what is not there. Received: {said} Check the name and --region."
        )
    return AwsError(
        f"{what} must be accepted by AWS ({operation}). Received: {said} "
        "Change what it names, then repeat the command."
    )


def _line(error: BaseException) -> str:
    text = shortened(error, MAX_SAID)
    return text if text.endswith(".") else f"{text}."
