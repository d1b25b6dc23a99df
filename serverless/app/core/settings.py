"""The configuration of an app, and how a Lambda function reads it from its environment.

===========================  ====================================================
SNAPSHIP_BUNDLE              folder or zip; default: ``bundle``, the one ``*.bundle``, or
                             ``manifest.json``, beside the code
SNAPSHIP_ARTIFACT            e.g. ``tflite-int8``; default: the one that was packaged, or the best that
                             runs here
SNAPSHIP_ENGINE              ``auto`` (default), ``litert`` or ``onnxruntime``
SNAPSHIP_THREADS             threads per inference, default 1
SNAPSHIP_TOP_K               default number of classes returned, default 5
SNAPSHIP_MAX_BYTES           size limit of a request's body and of an object in S3, default 20,000,000;
                             for requests to a Lambda function 4,500,000, since AWS accepts no more
SNAPSHIP_MAX_IMAGES          maximum number of images in one request, default 16
SNAPSHIP_MAX_PIXELS          limit of an image's width times height, default 50,000,000
SNAPSHIP_AUTH                ``none`` (default; also behind AWS_IAM, which AWS checks) or
                             ``api-key``
SNAPSHIP_API_KEYS            entries of ``snapship keys new``, separated by commas
SNAPSHIP_API_KEYS_PARAMETER  name of the SSM parameter that holds the same text instead
SNAPSHIP_BASE_PATH           prefix of every path, e.g. ``/api``; default none. Needed behind a load
                             balancer or CDN; a REST API sends it by itself
SNAPSHIP_CORS_ORIGINS        origins whose pages may call, separated by commas; default none
SNAPSHIP_S3_BUCKETS          buckets whose events are processed, separated by commas; default none
SNAPSHIP_RESULTS             ``s3://bucket/prefix/`` for results; default: beside the object
SNAPSHIP_METRICS_NAMESPACE   namespace of the metrics in CloudWatch, default ``snapship``
===========================  ====================================================

An empty variable counts as unset.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from edge_runtime.bundle.manifest import MANIFEST_FILE
from edge_runtime.common.errors import UnknownNameError, UsageError
from edge_runtime.common.text import quoted, shortened
from edge_runtime.engines import ENGINES
from edge_runtime.image.preprocess import MAX_BYTES, MAX_PIXELS
from serverless.app.core.package_record import packaged_artifact

if TYPE_CHECKING:
    from edge_runtime.classifier import Classifier
    from serverless.app.core.keys import KeySource
    from serverless.app.core.service import Service


Log = Literal["json", "off"]

MAX_THREADS = 64
"""A Lambda function has at most 6 processors; a container may have more."""

MAX_TOP_K = 100_000

MAX_IMAGES = 16
"""Default maximum number of images in one request."""

LAMBDA_MAX_BYTES = 4_500_000
"""Default limit of a request's body in Lambda: its 6 MB hold this much in base64 plus the event
around it. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

LARGEST = 999_999_999
"""Largest value of a limit; nothing that fits into a Lambda function comes near it."""

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

# Scheme, host and port, as browsers send them (RFC 6454 section 6.2): lower case, not even a trailing slash.
_ORIGIN = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]{2,39}\])(?::[0-9]{1,5})?"
)

_RESULTS = re.compile(rf"s3://{_BUCKET.pattern}(/[^\x00-\x1f]{{0,900}})?")

_BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]{1,100}){1,10}/?")

# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
_PARAMETER = re.compile(r"[A-Za-z0-9_.:/-]{1,1000}")

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
_NAMESPACE = re.compile(r"(?!AWS/)[A-Za-z0-9_./#:-]{1,255}")


class AppConfig(msgspec.Struct, frozen=True):
    """How an app serves, from the environment or :func:`~serverless.app.create_app` to the routes.

    Attributes:
        bundle: A folder or zip, an open classifier, or a service.
        artifact: Its kind; None takes the best that runs here.
        engine: ``auto`` or an engine's name.
        threads: Threads of one inference.
        top_k: Default number of classes returned.
        max_bytes: Size limit of a request's body, and so of an image in it.
        max_image_bytes: Size limit of an image from elsewhere, such as an object in S3; None takes
            max_bytes.
        max_images: Maximum number of images in one request.
        max_pixels: Limit of an image's width times height; None takes 50 million, or what the open
            classifier has.
        workers: Images classified at once; None takes the number of processors, at most 4.
        inline: For a function that takes one request at a time: classifies a request's only image
            on the event loop, since handing it to a thread and back costs up to some ms.
        allow_failed: Also serve an artifact whose verdict is ``fail``.
        keys: Entries of API keys, separated by commas, or a source of them; None requires no key.
        keys_parameter: Name of the SSM parameter that holds the entries instead.
        cors_origins: Origins whose pages may call.
        log: ``json`` writes one line per request to stdout.
        metrics_namespace: Namespace of the CloudWatch metrics in that line; empty for none.
        base_path: Path prefix that a proxy leaves in place, e.g. ``/api``.
        s3_buckets: Buckets whose events are processed.
        results: Where the results of S3 events go; empty for beside the object.
    """

    bundle: str | os.PathLike[str] | Classifier | Service
    artifact: str | None = None
    engine: str = "auto"
    threads: int = 1
    top_k: int = 5
    max_bytes: int = MAX_BYTES
    max_image_bytes: int | None = None
    max_images: int = MAX_IMAGES
    max_pixels: int | None = None
    workers: int | None = None
    inline: bool = False
    allow_failed: bool = False
    keys: str | KeySource | None = None
    keys_parameter: str = ""
    cors_origins: tuple[str, ...] = ()
    log: Log = "off"
    metrics_namespace: str = "snapship"
    base_path: str = ""
    s3_buckets: tuple[str, ...] = ()
    results: str = ""

    def __post_init__(self) -> None:
        """Checks the numbers, the log and the origins.

        Raises:
            UsageError: A number is not positive, or an origin is not exact.
            UnknownNameError: There is no such log.
        """
        for name in ("top_k", "max_bytes", "max_image_bytes", "max_images", "max_pixels", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1. Received: {value}. Pass {name}=1 or more.")
        if self.log not in ("json", "off"):
            raise UnknownNameError.of("log", str(self.log), ("json", "off"))
        checked_origins(self.cors_origins)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> AppConfig:
        """Reads and checks every variable; the app logs, and serves one request at a time.

        Args:
            environ: For example ``os.environ``.

        Raises:
            UsageError: A variable is invalid, or no bundle is found; the message names the variable.
        """
        root = Path(environ.get("LAMBDA_TASK_ROOT") or ".")
        named = environ.get("SNAPSHIP_BUNDLE")
        _check_auth(environ)
        max_bytes = LAMBDA_MAX_BYTES if environ.get("AWS_LAMBDA_FUNCTION_NAME") else MAX_BYTES
        return cls(
            bundle=root / named if named else _find_bundle(root),
            artifact=environ.get("SNAPSHIP_ARTIFACT") or (None if named else packaged_artifact(root)),
            engine=_engine(environ.get("SNAPSHIP_ENGINE") or "auto"),
            threads=_number(environ, "SNAPSHIP_THREADS", 1, MAX_THREADS),
            top_k=_number(environ, "SNAPSHIP_TOP_K", 5, MAX_TOP_K),
            max_bytes=_number(environ, "SNAPSHIP_MAX_BYTES", max_bytes, LARGEST),
            max_image_bytes=_number(environ, "SNAPSHIP_MAX_BYTES", MAX_BYTES, LARGEST),
            max_images=_number(environ, "SNAPSHIP_MAX_IMAGES", MAX_IMAGES, LARGEST),
            max_pixels=_number(environ, "SNAPSHIP_MAX_PIXELS", MAX_PIXELS, LARGEST),
            inline=True,
            keys=environ.get("SNAPSHIP_API_KEYS", "").strip() or None,
            keys_parameter=_matching(
                environ,
                "SNAPSHIP_API_KEYS_PARAMETER",
                _PARAMETER,
                "an SSM parameter's name",
                "/snapship/keys",
            ),
            cors_origins=checked_origins(
                _listed(environ.get("SNAPSHIP_CORS_ORIGINS", "")), "SNAPSHIP_CORS_ORIGINS"
            ),
            log="json",
            metrics_namespace=_matching(
                environ, "SNAPSHIP_METRICS_NAMESPACE", _NAMESPACE, "a CloudWatch namespace", "snapship"
            )
            or "snapship",
            base_path=_matching(environ, "SNAPSHIP_BASE_PATH", _BASE_PATH, "a path", "/api").rstrip("/"),
            s3_buckets=_buckets(environ.get("SNAPSHIP_S3_BUCKETS", "")),
            results=_matching(
                environ, "SNAPSHIP_RESULTS", _RESULTS, "s3://bucket/prefix/", "s3://bucket/prefix/"
            ),
        )

    @property
    def keyed(self) -> bool:
        """Whether requests need an API key."""
        return self.keys is not None or bool(self.keys_parameter)

    def key_source(self) -> KeySource | None:
        """Reads the API keys; None where requests need none.

        Raises:
            SnapshipError: They cannot be read, or there are none.
        """
        if not self.keyed:
            return None
        # Imported here, since most apps have no keys.
        from serverless.app.core.keys import from_parameter, from_text

        if self.keys_parameter:
            return from_parameter(self.keys_parameter)
        return from_text(self.keys) if isinstance(self.keys, str) else self.keys


def _check_auth(environ: Mapping[str, str]) -> None:
    name = environ.get("SNAPSHIP_AUTH") or "none"
    if name not in ("none", "api-key"):
        raise UsageError(
            f"SNAPSHIP_AUTH must be none or api-key. Received: {quoted(name)}. Set it to one of the two."
        )
    given = [
        variable
        for variable in ("SNAPSHIP_API_KEYS", "SNAPSHIP_API_KEYS_PARAMETER")
        if environ.get(variable, "").strip()
    ]
    if name == "none":
        if given:
            # Ignored keys would leave open what its owner believes to be locked.
            raise UsageError(
                f"SNAPSHIP_AUTH must be api-key if keys are given. Received: none with {given[0]}. "
                "Set SNAPSHIP_AUTH=api-key, or unset the keys."
            )
        return
    if len(given) != 1:
        received = "both" if given else "neither"
        raise UsageError(
            "SNAPSHIP_AUTH=api-key needs one of SNAPSHIP_API_KEYS and SNAPSHIP_API_KEYS_PARAMETER. "
            f"Received: {received}. Make a key with: snapship keys new NAME"
        )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _buckets(text: str) -> tuple[str, ...]:
    buckets = _listed(text)
    for bucket in buckets:
        if not _BUCKET.fullmatch(bucket):
            raise UsageError(
                f"SNAPSHIP_S3_BUCKETS must be bucket names. Received: {quoted(bucket)}. "
                "Separate them with commas, without s3://."
            )
    return buckets


def _matching(
    environ: Mapping[str, str], variable: str, pattern: re.Pattern[str], rule: str, example: str
) -> str:
    text = environ.get(variable, "").strip()
    if text and not pattern.fullmatch(text):
        raise UsageError(
            f"{variable} must be {rule}. Received: {quoted(text)}. Set it to {example} or similar, or unset it."
        )
    return text


def _find_bundle(root: Path) -> Path:
    if (root / "bundle").is_dir():
        return root / "bundle"
    found = sorted(root.glob("*.bundle"))
    if not found and (root / MANIFEST_FILE).is_file():
        return root
    if len(found) != 1:
        names = shortened(", ".join(path.name for path in found) or "none")
        raise UsageError(
            f"SNAPSHIP_BUNDLE must be set unless {root} contains a folder named bundle or exactly one *.bundle. "
            f"Received: {names}. Set it to the bundle's path."
        )
    return found[0]


def _engine(name: str) -> str:
    known = ["auto", *ENGINES]
    if name not in known:
        raise UsageError(
            f"SNAPSHIP_ENGINE must be a known engine. Received: {quoted(name)}. Use one of: {', '.join(known)}."
        )
    return name


def _number(environ: Mapping[str, str], variable: str, default: int, largest: int) -> int:
    text = environ.get(variable)
    if not text:
        return default
    if not re.fullmatch("[0-9]{1,9}", text, re.ASCII) or not 1 <= int(text) <= largest:
        raise UsageError(
            f"{variable} must be a whole number from 1 to {largest}. Received: {quoted(text)}. "
            f"Set it to {default} or unset it."
        )
    return int(text)


def checked_origins(origins: Iterable[str], name: str = "cors_origins") -> tuple[str, ...]:
    """Checks that origins are exact, so that browsers can send them; refuses the wildcard.

    Args:
        origins: For example ``https://example.org``.
        name: The option or variable, for messages.

    Raises:
        UsageError: One is not an exact origin.
    """
    checked = tuple(origins)
    for origin in checked:
        if not _ORIGIN.fullmatch(origin):
            raise UsageError(
                f"{name} must be exact origins. Received: {quoted(origin)}. "
                "Write them as the browser does, in lower case and without a path: https://example.org"
            )
    return checked
