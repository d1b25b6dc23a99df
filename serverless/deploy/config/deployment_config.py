"""What ``snapship deploy`` is given: the desired endpoint, and how to get there.

Checked before anything slow or remote happens; the rules are in :mod:`serverless.deploy.config.rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.common.errors import UsageError
from serverless.deploy.config.rules import AUTH_VARIABLE, Arch, Auth, Front, PythonVersion, check

ONE_CPU_MB = 1_769
"""Memory at which a function gets one vCPU (Lambda: configure function memory)."""

NAME_TAG = "snapship:name"
"""Tag with the deployment's name, on every resource of a stack."""


@dataclass(frozen=True)
class Deployment:
    """The desired endpoint. Checked on creation.

    Attributes:
        name: Lower-case letters, digits and hyphens; the stack and the function are called
            ``snapship-NAME``.
        arch: Architecture of the function and its package.
        python: Python version of the function and its package.
        memory_mb: Memory in MB, which also determines the CPU share: 1,769 give one vCPU.
        timeout_s: Maximum duration of a call in seconds.
        storage_mb: Size of /tmp in MB.
        auth: Who may call: ``aws-iam`` for requests signed with AWS credentials, ``api-key``
            for requests with an API key, ``none`` for anyone.
        keys_parameter: Name of the SSM parameter with the hashes of the API keys.
        cors_origins: Origins allowed to call from a browser, e.g. ``https://example.com``.
        front: A function URL, or an HTTP API of API Gateway.
        retention_days: Log retention in days.
        reserved_concurrency: Maximum number of concurrent calls, reserved from the account's
            quota; None for no limit but the account's.
        provisioned_concurrency: Number of instances kept ready, billed while idle; None for none.
        snapstart: Whether to start from a snapshot of the initialized function.
        input_bucket: Bucket whose new images are classified.
        bucket_exists: Whether the input bucket already exists and sends its events to EventBridge,
            which its owner must enable; otherwise the stack creates the bucket.
        results: Where to write the results of events: ``s3://BUCKET/PREFIX/`` in an existing bucket.
            None for ``KEY.json`` next to the image; the result of a message with an image is then
            only logged.
        queue: Whether to create an SQS queue, with a dead-letter queue.
        warm_up_minutes: Call the function every N minutes; None for never.
        alarm_p99_ms: Threshold of the latency alarm; None for a tenth of the timeout.
        alarm_topic: ARN of an SNS topic to notify of alarms; None for no notification.
        permissions_boundary: ARN of the role's permissions boundary, if the account requires one.
        environment: Further environment variables of the function, e.g. ``SNAPSHIP_TOP_K``.
        tags: Further tags of every resource.

    Raises:
        UsageError: A value exceeds a limit of AWS, or two values exclude each other.
    """

    name: str
    arch: Arch = "x86_64"
    python: PythonVersion = "3.12"
    memory_mb: int = ONE_CPU_MB
    timeout_s: int = 30
    storage_mb: int = 512
    auth: Auth = "aws-iam"
    keys_parameter: str | None = None
    cors_origins: tuple[str, ...] = ()
    front: Front = "url"
    retention_days: int = 30
    reserved_concurrency: int | None = None
    provisioned_concurrency: int | None = None
    snapstart: bool = False
    input_bucket: str | None = None
    bucket_exists: bool = False
    results: str | None = None
    queue: bool = False
    warm_up_minutes: int | None = None
    alarm_p99_ms: int | None = None
    alarm_topic: str | None = None
    permissions_boundary: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self)

    def variables(self) -> dict[str, str]:
        """All environment variables of the function."""
        chosen = {
            # With one core, more threads would only wait for each other while NumPy starts.
            "OPENBLAS_NUM_THREADS": "1",
            # ONNX Runtime must not send telemetry.
            "ORT_DISABLE_TELEMETRY": "1",
            "SNAPSHIP_AUTH": "api-key" if self.auth == "api-key" else "none",
            # Not read by the app, to which aws-iam and none are the same, but by a rollback, which must
            # know what a version relies on. A version keeps its variables for ever.
            AUTH_VARIABLE: self.auth,
            "SNAPSHIP_API_KEYS_PARAMETER": self.keys_parameter or "",
            "SNAPSHIP_CORS_ORIGINS": ",".join(self.cors_origins) if self.app_answers_cors else "",
            "SNAPSHIP_S3_BUCKETS": self.input_bucket or "",
            "SNAPSHIP_RESULTS": self.results or "",
        }
        set_ones = {name: value for name, value in chosen.items() if value}
        return dict(sorted({**set_ones, **self.environment}.items()))

    @property
    def stack(self) -> str:
        """Name of the stack, and of the function."""
        return f"snapship-{self.name}"

    @property
    def latency_limit_ms(self) -> int:
        """Threshold of the latency alarm, a p99 in milliseconds."""
        return self.timeout_s * 100 if self.alarm_p99_ms is None else self.alarm_p99_ms

    @property
    def app_answers_cors(self) -> bool:
        """Whether the app handles CORS, rather than the function URL or HTTP API.

        A browser sends its preflight request unsigned, so with ``aws-iam`` it never reaches the app,
        and the URL or API must answer. Never both, since browsers reject a duplicate header.
        """
        return bool(self.cors_origins) and self.auth != "aws-iam"


@dataclass(frozen=True)
class DeployConfig:
    """What to deploy, and how carefully.

    Attributes:
        deployment: The desired endpoint.
        bundle: The bundle to package; None with ``package``.
        package: A zip made by ``snapship package``.
        artifact: The kind to package; None picks the best.
        bucket: The user's own bucket for the code; None for the bucket of the account and region.
        canary: Share of the calls, 0 to 1, that the new version gets first; 0 for no canary.
        canary_minutes: How long to watch the alarms during a canary. They evaluate whole minutes
            and need some calls.

    Raises:
        UsageError: The canary's share or minutes are out of range.
    """

    deployment: Deployment
    bundle: Path | None = None
    package: Path | None = None
    artifact: str | None = None
    bucket: str | None = None
    canary: float = 0.0
    canary_minutes: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.canary < 1:
            raise UsageError(
                f"--canary must be at least 0 % and below 100 %. Received: {self.canary:.0%}. Pass e.g. 10%."
            )
        if self.canary and self.deployment.provisioned_concurrency is not None:
            raise UsageError(
                "--canary splits calls by weights, which AWS does not allow on an alias with --provisioned. "
                "Received: both. Leave one out."
            )
        if not 0 <= self.canary_minutes <= 24 * 60:
            raise UsageError(
                f"--canary-minutes must be 0 to 1440. Received: {self.canary_minutes:g}. Pass e.g. 5."
            )
