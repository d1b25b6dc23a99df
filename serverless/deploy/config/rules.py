"""Checks of a deployment, with the limits of AWS and their sources.

AWS rejects most invalid values too, but minutes later and half-way through a deployment. The limits
come from AWS's documentation: the Lambda quotas page unless another page is named.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, get_args

from edge_runtime.common.errors import UnknownNameError, UsageError
from serverless.app.core.settings import checked_origins
from serverless.deploy.config.errors import LimitError

if TYPE_CHECKING:
    from serverless.deploy.config.deployment_config import Deployment

Arch = Literal["x86_64", "arm64"]
"""Architecture of a function, as AWS spells it."""

PythonVersion = Literal["3.12", "3.13", "3.14"]
"""Runtimes on Amazon Linux 2023; 3.11 runs on Amazon Linux 2, whose glibc is too old for the engines."""

Auth = Literal["aws-iam", "api-key", "none"]
Front = Literal["url", "http-api"]

AUTH_VARIABLE = "SNAPSHIP_ENDPOINT_AUTH"
"""Variable of the function with the value of :attr:`serverless.deploy.config.deployment_config.Deployment.auth`."""

MEMORY_MB = (128, 10_240)
"""Memory of a function, in MB of 2^20 bytes."""

TIMEOUT_S = (1, 900)
STORAGE_MB = (512, 10_240)
"""Size of /tmp."""

SNAPSTART_STORAGE_MB = 512
"""Maximum size of /tmp with SnapStart (Lambda: SnapStart limitations)."""

HTTP_API_TIMEOUT_S = 30
"""Maximum integration timeout of an HTTP API (API Gateway: quotas of HTTP APIs)."""

ENVIRONMENT_BYTES = 4_096
"""Total size of a function's environment variables."""

CONCURRENCY = (1, 100_000)
"""AWS checks the account's quota, by default 1,000; this only catches typos."""

RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
"""Values that CloudWatch Logs accepts (PutRetentionPolicy: retentionInDays)."""

MAX_NAME = 55
"""A function's name has at most 64 characters, and ours starts with ``snapship-``."""

MAX_TAGS = 49
"""A resource has at most 50 tags, one of which is ours."""

WARM_UP_MINUTES = (1, 60)

_NAME = re.compile("[a-z](?:-?[a-z0-9])*", re.ASCII)
_BUCKET = re.compile("[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]", re.ASCII)
_PARAMETER = re.compile("/?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*", re.ASCII)
_VARIABLE = re.compile("[A-Za-z][A-Za-z0-9_]+", re.ASCII)
_RESULTS = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<prefix>[A-Za-z0-9!_.'()/-]*/)?")

_RANGES = {
    "memory_mb": (MEMORY_MB, "MB", "--memory MB"),
    "timeout_s": (TIMEOUT_S, "s", "--timeout S"),
    "storage_mb": (STORAGE_MB, "MB", "--storage MB"),
    "reserved_concurrency": (CONCURRENCY, "calls at a time", "--reserved N"),
    "provisioned_concurrency": (CONCURRENCY, "instances", "--provisioned N"),
    "warm_up_minutes": (WARM_UP_MINUTES, "minutes", "--warm-up-minutes N"),
}
"""Limits, unit and option of ``snapship deploy`` for each number, by field."""

_OURS = {
    "SNAPSHIP_BUNDLE": "the bundle of the package",
    "SNAPSHIP_AUTH": "--auth",
    AUTH_VARIABLE: "--auth",
    "SNAPSHIP_API_KEYS_PARAMETER": "--keys-parameter",
    "SNAPSHIP_CORS_ORIGINS": "--cors-origin",
    "SNAPSHIP_S3_BUCKETS": "--input-bucket",
    "SNAPSHIP_RESULTS": "--results",
}
"""Variables that are set by an option, so they may not be set directly."""


def check(deployment: Deployment) -> None:
    """Checks every field, and the fields with each other.

    Args:
        deployment: A new deployment.

    Raises:
        LimitError: A number is outside the limits of AWS.
        UsageError: Another rule is violated.
    """
    _check_choices(deployment)
    _check_numbers(deployment)
    _check_names(deployment)
    _check_access(deployment)
    _check_events(deployment)
    _check_environment(deployment)


def _check_choices(deployment: Deployment) -> None:
    chosen = {
        "arch": (deployment.arch, Arch),
        "python": (deployment.python, PythonVersion),
        "auth": (deployment.auth, Auth),
        "front": (deployment.front, Front),
    }
    for what, (received, choices) in chosen.items():
        if received not in get_args(choices):
            raise UnknownNameError.of(what, received, get_args(choices))


def _check_numbers(deployment: Deployment) -> None:
    latencies = ((1, deployment.timeout_s * 1000 - 1), "ms, below the timeout", "--alarm-p99-ms MS")
    for what, ((low, high), unit, option) in {**_RANGES, "alarm_p99_ms": latencies}.items():
        value = getattr(deployment, what)
        if value is not None and not low <= value <= high:
            raise LimitError(
                f"{what} must be {low} to {high} {unit}. Received: {value}. Pass a value in that range: {option}."
            )
    if deployment.retention_days not in RETENTION_DAYS:
        raise LimitError(
            f"retention_days must be one of {', '.join(map(str, RETENTION_DAYS))}. "
            f"Received: {deployment.retention_days}. Pass the next larger value: --retention-days N."
        )
    reserved, provisioned = deployment.reserved_concurrency, deployment.provisioned_concurrency
    if reserved is not None and provisioned is not None and provisioned >= reserved:
        raise UsageError(
            "provisioned_concurrency must be below reserved_concurrency, since a version under test runs "
            f"unprovisioned. Received: {provisioned} of {reserved}. "
            "Reserve more (--reserved N), or provision fewer (--provisioned N)."
        )
    if deployment.snapstart and provisioned is not None:
        raise UsageError(
            f"snapstart excludes provisioned_concurrency. Received: both ({provisioned} instances). "
            "Leave --snapstart or --provisioned out."
        )
    if deployment.snapstart and deployment.storage_mb > SNAPSTART_STORAGE_MB:
        raise LimitError(
            f"storage_mb must be at most {SNAPSTART_STORAGE_MB} with snapstart. "
            f"Received: {deployment.storage_mb}. Lower it (--storage MB), or leave --snapstart out."
        )


def _check_names(deployment: Deployment) -> None:
    name = deployment.name
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise UsageError(
            "name must be lower-case letters, digits and single hyphens, start with a letter and have at most "
            f"{MAX_NAME} characters. Received: {name!r} ({len(name)}). Pass e.g. --name flowers."
        )
    for what, arn, service in (
        ("alarm_topic", deployment.alarm_topic, "sns"),
        ("permissions_boundary", deployment.permissions_boundary, "iam"),
    ):
        if arn is not None and not re.fullmatch(rf"arn:[a-z-]+:{service}:[!-~]+", arn):
            raise UsageError(
                f"{what} must be an ARN of {service.upper()}. Received: {arn!r}. "
                f"Pass one that starts with arn:aws:{service}: (--{what.replace('_', '-')} ARN)."
            )
    if len(deployment.tags) > MAX_TAGS:
        raise LimitError(
            f"There may be at most {MAX_TAGS} tags. Received: {len(deployment.tags)}. Pass fewer --tag options."
        )
    for key, value in deployment.tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256 or key.lower().startswith(("aws:", "snapship:")):
            raise UsageError(
                "A tag's key must have 1 to 128 characters and not start with aws: or snapship:, its value at most "
                f"256 characters. Received: {key!r}={value!r}. Change it: --tag NAME=VALUE."
            )


def _check_access(deployment: Deployment) -> None:
    parameter = deployment.keys_parameter
    if deployment.auth != "api-key" and parameter is not None:
        raise UsageError(
            f"keys_parameter needs auth api-key. Received: {parameter!r} with auth {deployment.auth}. "
            "Pass --auth api-key, or leave --keys-parameter out."
        )
    if (
        deployment.auth == "api-key"
        and parameter is None
        and not deployment.environment.get("SNAPSHIP_API_KEYS")
    ):
        raise UsageError(
            "auth api-key needs keys. Received: neither keys_parameter nor SNAPSHIP_API_KEYS in the environment. "
            "Create a key (snapship keys --help) and name the SSM parameter with its hash: --keys-parameter NAME."
        )
    if parameter is not None and (
        not _PARAMETER.fullmatch(parameter)
        or len(parameter) > 1000
        or parameter.lower().lstrip("/").startswith(("aws", "ssm"))
        or ("/" in parameter and not parameter.startswith("/"))
    ):
        raise UsageError(
            "keys_parameter must be the full name of an SSM parameter: letters, digits, _ . - and / (then also as "
            f"its first character), not starting with aws or ssm. Received: {parameter!r}. "
            f"Pass e.g. --keys-parameter /snapship/{deployment.name}/keys."
        )
    checked_origins(deployment.cors_origins)


def _check_events(deployment: Deployment) -> None:
    bucket = deployment.input_bucket
    if bucket is not None and (not _BUCKET.fullmatch(bucket) or ".." in bucket):
        raise UsageError(
            "input_bucket must be the name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens. "
            f"Received: {bucket!r}. Pass another --input-bucket; names are global, so start it with the name of your "
            "organization."
        )
    if bucket is None and deployment.bucket_exists:
        raise UsageError(
            "bucket_exists needs input_bucket. Received: none. Name it (--input-bucket NAME), or leave "
            "--bucket-exists out."
        )
    if deployment.results is not None and bucket is None and not deployment.queue:
        raise UsageError(
            f"results needs an event source. Received: {deployment.results} without input_bucket or queue. "
            "Add --input-bucket NAME or --queue, or leave --results out."
        )
    if deployment.results is not None:
        results_place(deployment.results)
    by_events = bucket is not None or deployment.queue
    if deployment.front == "http-api" and deployment.timeout_s > HTTP_API_TIMEOUT_S and not by_events:
        raise LimitError(
            f"timeout_s must be at most {HTTP_API_TIMEOUT_S} behind an HTTP API, which waits no longer. "
            f"Received: {deployment.timeout_s}. Lower it (--timeout S), or pass --front url."
        )


def results_place(results: str) -> tuple[str, str]:
    """Splits ``s3://BUCKET/PREFIX/`` into bucket and prefix, which is empty or ends with a slash.

    Raises:
        UsageError: It has another form.
    """
    match = _RESULTS.fullmatch(results)
    if match is None:
        raise UsageError(
            f"results must be s3://BUCKET/ or s3://BUCKET/PREFIX/. Received: {results!r}. "
            "Use letters, digits and !_.'()/- with a trailing slash: --results s3://acme/flowers/."
        )
    return match["bucket"], match["prefix"] or ""


def _check_environment(deployment: Deployment) -> None:
    for variable in deployment.environment:
        if not _VARIABLE.fullmatch(variable) or variable.startswith(("AWS_", "LAMBDA_", "_")):
            raise UsageError(
                "A variable must be letters, digits and _, start with a letter, and not be reserved by Lambda "
                f"(AWS_, LAMBDA_). Received: {variable!r}. Rename it: --env NAME=VALUE."
            )
        if variable in _OURS:
            raise UsageError(
                f"{variable} is set by an option. Received: a value in environment. "
                f"Use {_OURS[variable]} instead, and leave this --env out."
            )
    variables = deployment.variables()
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > ENVIRONMENT_BYTES:
        raise LimitError(
            f"All variables must have at most {ENVIRONMENT_BYTES} bytes, names and values together. "
            f"Received: {size}. Pass fewer --env, and keep keys in an SSM parameter: --keys-parameter NAME."
        )
