"""A function's published versions, where its alias sends calls, and trying one of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serverless.aws import Connection, answered, code_of
from serverless.deploy.config_rules import AUTH_VARIABLE
from serverless.deploy.template.function import ALIAS_NAME

SELFTEST = {"selftest": True}
"""The event that asks a function to replay its golden images."""

NOTHING_COMPARED = "it ran, but the bundle has no golden images to compare with"

_AROUND = {
    "--keys-parameter": "SNAPSHIP_API_KEYS_PARAMETER",
    "--input-bucket": "SNAPSHIP_S3_BUCKETS",
    "--results": "SNAPSHIP_RESULTS",
}
"""Variables that need a permission of the role, which is that of the newest version."""

LOG_LINES = 5
"""Last lines of a failed call's log that are shown."""


@dataclass(frozen=True)
class Version:
    """A published version, which never changes.

    Attributes:
        number: Such as ``"7"``.
        published: When, in ISO 8601.
        code_sha256: Of its zip, in hex.
        code_bytes: Size of its zip.
        memory_mb: Its memory.
        python: Such as ``python3.12``.
        arch: Its processor.
        auth: Who it is made for, of :class:`~serverless.deploy.config.Deployment`.
        around: What its variables say of what stands around it, by option.
    """

    number: str
    published: str
    code_sha256: str
    code_bytes: int
    memory_mb: int
    python: str
    arch: str
    auth: str = "aws-iam"
    around: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Traffic:
    """Where an alias sends calls.

    Attributes:
        version: The version that gets most of them.
        others: Share, 0 to 1, by version of those that get some.
    """

    version: str
    others: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """What a self-test on AWS gave.

    Attributes:
        passed: Whether the function gives the answers of the export.
        said: Why not, in a line, or what to know although it passed.
    """

    passed: bool
    said: str = ""


def published(aws: Connection, function: str) -> tuple[Version, ...]:
    """Every published version, oldest first; none where there is no such function.

    Args:
        aws: Where.
        function: The function's name.
    """
    found = []
    lambda_ = aws.client("lambda")
    with answered(f"Listing the versions of {function}"):
        try:
            for page in lambda_.get_paginator("list_versions_by_function").paginate(FunctionName=function):
                found += [_version(entry) for entry in page["Versions"] if entry["Version"] != "$LATEST"]
        except lambda_.exceptions.ResourceNotFoundException:
            return ()
    return tuple(sorted(found, key=lambda version: int(version.number)))


def traffic(aws: Connection, function: str) -> Traffic | None:
    """Where the alias ``live`` sends calls; None where there is none.

    Args:
        aws: Where.
        function: The function's name.
    """
    lambda_ = aws.client("lambda")
    with answered(f"Looking up what is live of {function}"):
        try:
            found = lambda_.get_alias(FunctionName=function, Name=ALIAS_NAME)
        except lambda_.exceptions.ResourceNotFoundException:
            return None
    weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return Traffic(found["FunctionVersion"], {number: share for number, share in weights.items() if share})


def selftest(aws: Connection, function: str, version: str) -> Trial:
    """Replays the bundle's golden images on AWS, in a version that need not have traffic.

    Args:
        aws: Where.
        function: The function's name.
        version: The version's number.
    """
    with answered(f"Trying version {version}"):
        answer = aws.client("lambda").invoke(
            FunctionName=function, Qualifier=version, Payload=json.dumps(SELFTEST), LogType="Tail"
        )
        body = answer["Payload"].read()
    return judged(body, failed=bool(answer.get("FunctionError")), log=answer.get("LogResult"))


def judged(body: bytes, *, failed: bool = False, log: str | None = None) -> Trial:
    """What an answer to the self-test means.

    Args:
        body: What the function gave back.
        failed: Whether Lambda says that the function raised an error.
        log: The end of its log, in base64.
    """
    try:
        found: Any = json.loads(body)
    except ValueError:
        found = None
    if failed or not isinstance(found, dict) or not isinstance(found.get("passed"), bool):
        return Trial(False, f"{_error_of(found, body)}{_last_lines(log)}")
    if found["passed"]:
        return Trial(True, NOTHING_COMPARED if found.get("selftest") == "none" else "")
    why = str(found.get("detail") or "it does not say why")
    return Trial(False, " ".join(why.split())[:500].rstrip("."))


def checks_keys(aws: Connection, function: str) -> bool:
    """Whether what is live asks for API keys; not so where nothing is.

    Args:
        aws: Where.
        function: The function's name.
    """
    lambda_ = aws.client("lambda")
    with answered(f"Looking up what is live of {function}"):
        try:
            found = lambda_.get_function_configuration(FunctionName=function, Qualifier=ALIAS_NAME)
        except lambda_.exceptions.ResourceNotFoundException:
            return False
    variables = (found.get("Environment") or {}).get("Variables") or {}
    return bool(variables.get("SNAPSHIP_AUTH") == "api-key")


def delete(aws: Connection, function: str, version: str) -> bool:
    """Deletes a version that gets no calls.

    Args:
        aws: Where.
        function: The function's name.
        version: The version's number.

    Returns:
        Whether it is gone; not so while an alias points at it.
    """
    lambda_ = aws.client("lambda")
    with answered(f"Deleting version {version} of {function}"):
        try:
            lambda_.delete_function(FunctionName=function, Qualifier=version)
        except lambda_.exceptions.ClientError as error:
            if code_of(error) not in ("ResourceConflictException", "ResourceNotFoundException"):
                raise
            return code_of(error) == "ResourceNotFoundException"
    return True


def _version(entry: Mapping[str, Any]) -> Version:
    try:
        sha256 = base64.b64decode(entry.get("CodeSha256", ""), validate=True).hex()
    except ValueError:
        sha256 = ""
    variables = (entry.get("Environment") or {}).get("Variables") or {}
    return Version(
        number=entry["Version"],
        published=str(entry.get("LastModified", "")),
        code_sha256=sha256,
        code_bytes=int(entry.get("CodeSize", 0)),
        memory_mb=int(entry.get("MemorySize", 0)),
        python=str(entry.get("Runtime", "")),
        arch=(entry.get("Architectures") or ["x86_64"])[0],
        auth=_auth(variables),
        around={option: variables.get(name, "") for option, name in _AROUND.items()},
    )


def _auth(variables: Mapping[str, str]) -> str:
    """Of a version that does not say it: that which lets in fewest."""
    checks = "api-key" if variables.get("SNAPSHIP_AUTH") == "api-key" else "aws-iam"
    return variables.get(AUTH_VARIABLE) or checks


def _error_of(found: Any, body: bytes) -> str:
    if isinstance(found, dict) and "errorMessage" in found:
        return f"{found.get('errorType', 'error')}: {found['errorMessage']}"
    return f"an answer that is no self-test's: {body[:200].decode('utf-8', 'replace')}"


def _last_lines(log: str | None) -> str:
    if not log:
        return ""
    lines = base64.b64decode(log).decode("utf-8", "replace").strip().splitlines()
    kept = [line for line in lines if not line.startswith(("START ", "END ", "REPORT "))][-LOG_LINES:]
    return f"; its log: {' | '.join(kept)}" if kept else ""
