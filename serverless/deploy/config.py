"""What an endpoint in the cloud is to be: one record, checked before anything slow or remote.

The rules are in :mod:`serverless.deploy.config_rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from serverless.deploy.config_rules import AUTH_VARIABLE, Arch, Auth, Front, PythonVersion, check

ONE_CPU_MB = 1_769
"""Memory at which a function has the equivalent of one vCPU (Lambda: configure function memory)."""

NAME_TAG = "snapship:name"
"""Tag that every resource of a stack carries, with the deployment's name."""


@dataclass(frozen=True)
class Deployment:
    """An endpoint as it shall be. Checked when it is made.

    Attributes:
        name: Lower-case letters, digits and hyphens; the stack and the function are
            ``snapship-NAME``.
        arch: Processor of the function, the one the package was made for.
        python: Its Python, the one the package was made for.
        memory_mb: Memory, which decides the share of processors too: 1,769 is one vCPU.
        timeout_s: Seconds after which AWS ends a call.
        storage_mb: Size of /tmp.
        auth: Who may call: ``aws-iam`` requests signed with AWS credentials, ``api-key``
            those with a key, ``none`` everyone.
        keys_parameter: Name of the SSM parameter with the hashes of the keys.
        cors_origins: Origins of web pages that may call, such as ``https://example.com``.
        front: A function URL, or an HTTP API of API Gateway.
        retention_days: How long logs are kept.
        reserved_concurrency: Most calls at a time, taken from the account's quota; None for
            no limit but the account's.
        provisioned_concurrency: Instances kept ready, billed while idle; None for none.
        snapstart: Start from a snapshot of the initialised function.
        input_bucket: Bucket whose new images are classified.
        bucket_exists: The bucket is there already and sends its events to EventBridge, which
            its owner switches on; else the stack makes it.
        results: Where results of events go: ``s3://BUCKET/PREFIX/`` in a bucket that exists; None
            for ``KEY.json`` beside the image, and for messages with an image the log alone.
        queue: Also make an SQS queue with a dead-letter queue.
        warm_up_minutes: Call the function every so many minutes; None for never.
        alarm_p99_ms: The latency alarm goes off above it; None for a tenth of the timeout.
        alarm_topic: ARN of an SNS topic that is told of alarms; None tells nobody.
        permissions_boundary: ARN of a policy that bounds the role, where an account asks for one.
        environment: Further variables of the function, such as ``SNAPSHIP_TOP_K``.
        tags: Further tags of every resource.

    Raises:
        UsageError: A value breaks a limit of AWS, or two of them exclude each other.
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
            # More threads than one core has would only wait for each other while NumPy starts.
            "OPENBLAS_NUM_THREADS": "1",
            # Nothing in the function sends telemetry, whoever imports ONNX Runtime.
            "ORT_DISABLE_TELEMETRY": "1",
            "SNAPSHIP_AUTH": "api-key" if self.auth == "api-key" else "none",
            # Not for the app, to which aws-iam and none are the same: for a roll-back, which must know
            # what a version counts on. A version keeps its variables for ever.
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
        """The p99 duration above which the latency alarm goes off."""
        return self.timeout_s * 100 if self.alarm_p99_ms is None else self.alarm_p99_ms

    @property
    def app_answers_cors(self) -> bool:
        """Whether the app answers for CORS rather than the URL or API before it.

        A browser asks first without a signature (preflight), which ``aws-iam`` refuses before
        the app sees it: there the front answers. Never both, since a browser refuses a header
        that comes twice.
        """
        return bool(self.cors_origins) and self.auth != "aws-iam"
