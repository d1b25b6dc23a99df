"""A function's published versions, the traffic of its alias, and the self-test of a version."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serverless.aws import Connection, Ignoring, answered
from serverless.deploy.config.rules import AUTH_VARIABLE
from serverless.deploy.template.function import ALIAS_NAME

SELFTEST = {"selftest": True}
"""The event that makes a function replay its golden images."""

NOTHING_COMPARED = "it ran, but the bundle has no golden images to compare"

_SETTINGS = {
    "--keys-parameter": "SNAPSHIP_API_KEYS_PARAMETER",
    "--input-bucket": "SNAPSHIP_S3_BUCKETS",
    "--results": "SNAPSHIP_RESULTS",
}
"""Variables that need a permission of the role, which belongs to the newest version."""

LOG_LINES = 5
"""How many of the last log lines of a failed call are shown."""


@dataclass(frozen=True)
class Version:
    """A published version, which never changes.

    Attributes:
        number: E.g. ``"7"``.
        published: When, in ISO 8601.
        code_sha256: SHA-256 of its zip, in hex.
        memory_mb: Its memory.
        python: E.g. ``python3.12``.
        arch: Its architecture.
        auth: Who may call it, as in :class:`~serverless.deploy.config.deployment_config.Deployment`.
        settings: Values of the options that its environment depends on, by option.
    """

    number: str
    published: str
    code_sha256: str
    memory_mb: int
    python: str
    arch: str
    auth: str = "aws-iam"
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Traffic:
    """Where an alias sends calls.

    Attributes:
        version: The version that gets most calls.
        others: Share of the calls, 0 to 1, of each other version that gets some.
    """

    version: str
    others: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SelftestResult:
    """The result of a self-test on AWS.

    Attributes:
        passed: Whether the function gives the same answers as at export.
        detail: Why not, in one line; or a remark on a test that passed.
    """

    passed: bool
    detail: str = ""


def published(aws: Connection, function: str) -> tuple[Version, ...]:
    """Every published version, oldest first; empty if there is no such function.

    Args:
        aws: The account and region.
        function: The function's name.
    """
    found = []
    pages = aws.client("lambda").get_paginator("list_versions_by_function")
    with answered(f"Listing the versions of {function}"), _absent():
        for page in pages.paginate(FunctionName=function):
            found += [_version(entry) for entry in page["Versions"] if entry["Version"] != "$LATEST"]
    return tuple(sorted(found, key=lambda version: int(version.number)))


def traffic(aws: Connection, function: str) -> Traffic | None:
    """Where the alias ``live`` sends calls; None if there is no such alias.

    Args:
        aws: The account and region.
        function: The function's name.
    """
    with answered(f"Looking up the live version of {function}"), _absent():
        found = aws.client("lambda").get_alias(FunctionName=function, Name=ALIAS_NAME)
        weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return Traffic(
            found["FunctionVersion"], {number: share for number, share in weights.items() if share}
        )
    return None


def selftest(aws: Connection, function: str, version: str) -> SelftestResult:
    """Replays the bundle's golden images on AWS, in a version that need not have traffic.

    Args:
        aws: The account and region.
        function: The function's name.
        version: The version number.
    """
    with answered(f"Testing version {version}"):
        answer = aws.client("lambda").invoke(
            FunctionName=function, Qualifier=version, Payload=json.dumps(SELFTEST), LogType="Tail"
        )
        body = answer["Payload"].read()
    return selftest_result(body, failed=bool(answer.get("FunctionError")), log=answer.get("LogResult"))


def selftest_result(body: bytes, *, failed: bool = False, log: str | None = None) -> SelftestResult:
    """Reads the answer to a self-test.

    Args:
        body: What the function returned.
        failed: Whether Lambda reports that the function raised an error.
        log: The end of its log, in base64.
    """
    try:
        found: Any = json.loads(body)
    except ValueError:
        found = None
    if failed or not isinstance(found, dict) or not isinstance(found.get("passed"), bool):
        return SelftestResult(False, f"{_error_of(found, body)}{_last_lines(log)}")
    if found["passed"]:
        return SelftestResult(True, NOTHING_COMPARED if found.get("selftest") == "none" else "")
    why = str(found.get("detail") or "no reason given")
    return SelftestResult(False, " ".join(why.split())[:500].rstrip("."))


def checks_keys(aws: Connection, function: str) -> bool:
    """Whether the live version requires API keys; False if there is none.

    Args:
        aws: The account and region.
        function: The function's name.
    """
    lambda_ = aws.client("lambda")
    with answered(f"Looking up the live version of {function}"), _absent():
        found = lambda_.get_function_configuration(FunctionName=function, Qualifier=ALIAS_NAME)
        return bool(_variables(found).get("SNAPSHIP_AUTH") == "api-key")
    return False


def delete(aws: Connection, function: str, version: str) -> bool:
    """Deletes a version that gets no calls.

    Args:
        aws: The account and region.
        function: The function's name.
        version: The version number.

    Returns:
        Whether it is gone; False while an alias points at it.
    """
    with answered(f"Deleting version {version} of {function}"), Ignoring("ResourceConflictException"):
        with _absent():
            aws.client("lambda").delete_function(FunctionName=function, Qualifier=version)
        return True
    return False


def _absent() -> Ignoring:
    """For calls about something that may not exist."""
    return Ignoring("ResourceNotFoundException")


def _variables(function: Mapping[str, Any]) -> dict[str, str]:
    return (function.get("Environment") or {}).get("Variables") or {}


def _version(entry: Mapping[str, Any]) -> Version:
    try:
        sha256 = base64.b64decode(entry.get("CodeSha256", ""), validate=True).hex()
    except ValueError:
        sha256 = ""
    variables = _variables(entry)
    return Version(
        number=entry["Version"],
        published=str(entry.get("LastModified", "")),
        code_sha256=sha256,
        memory_mb=int(entry.get("MemorySize", 0)),
        python=str(entry.get("Runtime", "")),
        arch=(entry.get("Architectures") or ["x86_64"])[0],
        auth=_auth(variables),
        settings={option: variables.get(name, "") for option, name in _SETTINGS.items()},
    )


def _auth(variables: Mapping[str, str]) -> str:
    """Who may call; for a version that does not say, the most restrictive."""
    checks = "api-key" if variables.get("SNAPSHIP_AUTH") == "api-key" else "aws-iam"
    return variables.get(AUTH_VARIABLE) or checks


def _error_of(found: Any, body: bytes) -> str:
    if isinstance(found, dict) and "errorMessage" in found:
        return f"{found.get('errorType', 'error')}: {found['errorMessage']}"
    return f"not the answer of a self-test: {body[:200].decode('utf-8', 'replace')}"


def _last_lines(log: str | None) -> str:
    if not log:
        return ""
    lines = base64.b64decode(log).decode("utf-8", "replace").strip().splitlines()
    kept = [line for line in lines if not line.startswith(("START ", "END ", "REPORT "))][-LOG_LINES:]
    return f"; its log: {' | '.join(kept)}" if kept else ""
