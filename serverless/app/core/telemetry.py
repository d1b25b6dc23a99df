"""One JSON log line per request or event on stdout, which is also CloudWatch's metric format.

It never contains pixels, bytes or text of an image, query, header or key. What a client
(path, method) or a model (label) chooses is shortened, and JSON keeps it on one line.

The metrics are ``Requests``, ``Errors`` (HTTP 5xx), ``Latency`` in ms and ``ColdStarts``, by
``Function``; CloudWatch takes them from the line itself:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

Each request has one id, in its response and in the log: the client's ``x-request-id`` if it is
well-formed, so that a trace spans several services; otherwise Lambda's own id, which its log lines
carry anyway; otherwise a random one.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Iterable, MutableMapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.types import Scope

from edge_runtime.common.text import cut

if TYPE_CHECKING:
    from serverless.app.core.service import TimedResult


NAMESPACE = "snapship"

REQUEST_ID_HEADER = "x-request-id"

MAX_TEXT = 200
"""Maximum characters of a text in a line."""

MAX_TRACE_ENTRY = 1_000
"""Maximum characters of a stack frame or of an exception's message."""

MAX_TRACE = 4_000
"""Maximum characters of a stack trace; its end is kept."""

METRICS = [
    {"Name": "Requests", "Unit": "Count"},
    {"Name": "Errors", "Unit": "Count"},
    {"Name": "Latency", "Unit": "Milliseconds"},
    {"Name": "ColdStarts", "Unit": "Count"},
]

_SANE = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""Excludes anything that could break a log line or a header."""

_lock = threading.Lock()
_warm = False


class RequestRecord(msgspec.Struct, omit_defaults=True):
    """One log line, filled in during the request; fields with their default value are omitted.

    Attributes:
        kind: ``http``, or a kind of event.
        request_id: Also in the response.
        method: HTTP method.
        path: HTTP path without the query; never the key of an S3 object.
        status: HTTP status; other events use its meaning: 200, 400 for bad input, 500.
        bytes: Size of the body or the object.
        width: Of a single image, in pixels as stored.
        height: As width.
        images: Number of images in the request.
        label: Best class of a single image.
        score: Its score.
        known: Whether a single image counts as known; None without such a rule.
        answered: Whether it counts as answered; None without such a rule.
        key: Name of the API key.
        read_ms: Milliseconds for receiving and parsing.
        decode_ms: Milliseconds for decoding and resizing, summed over the images.
        classify_ms: Milliseconds for inference, summed over the images.
        total_ms: Milliseconds from the app's first line to its last.
        error: Class of the exception; no message, since that may repeat what was sent.
        trace: Stack trace of a server failure.
    """

    kind: str
    request_id: str = ""
    method: str = ""
    path: str = ""
    status: int = 0
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    images: int | None = None
    label: str | None = None
    score: float | None = None
    known: bool | None = None
    answered: bool | None = None
    key: str = ""
    read_ms: float | None = None
    decode_ms: float | None = None
    classify_ms: float | None = None
    total_ms: float = 0.0
    error: str = ""
    trace: str = ""

    def add_request(self, images: int, start: float) -> None:
        """Records a request that has been read and parsed.

        Args:
            images: Number of images in it.
            start: When it arrived, by ``time.perf_counter``.
        """
        self.images, self.read_ms = images, (time.perf_counter() - start) * 1000

    def add_results(self, examined: Sequence[TimedResult]) -> None:
        """Records what was classified: total times; size, class and what the rules say of a single image."""
        self.decode_ms = sum(one.decode_ms for one in examined)
        self.classify_ms = sum(one.classify_ms for one in examined)
        if len(examined) == 1 == self.images:
            (one,) = examined
            self.width, self.height = one.width, one.height
            self.known, self.answered = one.result.known, one.result.answered
            if one.result:
                self.label, self.score = one.result.top.label, one.result.top.score

    def failed(self, error: BaseException) -> None:
        """Records a failure of the server."""
        self.error = type(error).__name__
        entries = (cut(entry, MAX_TRACE_ENTRY) for entry in traceback.format_exception(error))
        self.trace = "".join(entries)[-MAX_TRACE:]


def record_of(scope: MutableMapping[str, Any]) -> RequestRecord:
    """The log record of the request being answered.

    Args:
        scope: An ASGI scope.
    """
    record: RequestRecord = scope.setdefault("state", {}).setdefault("record", RequestRecord("http"))
    return record


def take_cold_start() -> bool:
    """Whether this is the process's first request; true only once."""
    global _warm
    with _lock:
        cold, _warm = not _warm, True
        return cold


def log_event(record: RequestRecord, *, namespace: str = NAMESPACE) -> None:
    """Writes a record as one line to stdout; the first of a process is its cold start.

    Args:
        record: A finished request or event.
        namespace: Namespace of the metrics; empty for a line without metrics.
    """
    text = line(record, namespace=namespace, cold_start=take_cold_start())
    # A closed log is no reason to fail a request.
    with suppress(OSError):
        # One call, so that lines from several threads do not interleave.
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def line(record: RequestRecord, *, namespace: str, cold_start: bool) -> str:
    """Makes the line, in ASCII and without a line break.

    Args:
        record: A finished request or event.
        namespace: Namespace of the metrics; empty for none.
        cold_start: Whether it is the process's first.
    """
    now = time.time()
    level = "ERROR" if record.status >= 500 else "INFO"
    content: dict[str, Any] = {"time": datetime.fromtimestamp(now, UTC).isoformat(), "level": level}
    for name, value in msgspec.structs.asdict(record).items():
        if value in ("", None):
            continue
        if isinstance(value, float):
            value = round(value, 4 if name == "score" else 3)
        elif isinstance(value, str) and name != "trace":
            value = cut(value, MAX_TEXT)
        content[name] = value
    content["cold_start"] = cold_start
    if namespace:
        content |= {
            "Function": os.environ.get("AWS_LAMBDA_FUNCTION_NAME") or "local",
            "Requests": 1,
            "Errors": int(record.status >= 500),
            "Latency": content["total_ms"],
            "ColdStarts": int(cold_start),
            "_aws": {
                "Timestamp": int(now * 1000),
                "CloudWatchMetrics": [
                    {"Namespace": namespace, "Dimensions": [["Function"]], "Metrics": METRICS}
                ],
            },
        }
    # The standard library's json, since it escapes everything beyond ASCII.
    return json.dumps(content, separators=(",", ":"))


def choose_id(scope: Scope) -> str:
    """Chooses the id of a request.

    Args:
        scope: An ASGI scope; Mangum's has the Lambda context under ``aws.context``.
    """
    candidates = (_header(scope.get("headers", ())), getattr(scope.get("aws.context"), "aws_request_id", ""))
    for candidate in candidates:
        if isinstance(candidate, str) and _SANE.fullmatch(candidate):
            return candidate
    return uuid.uuid4().hex


def ensure_id(scope: Scope) -> str:
    """The id of a request, chosen at the first call and stored in its scope."""
    id = request_id(scope) or choose_id(scope)
    scope.setdefault("state", {})["request_id"] = id
    return id


def request_id(scope: Scope) -> str:
    """The id of the request being answered; empty before it has one."""
    return str(scope.get("state", {}).get("request_id", ""))


def _header(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The header's value if it was sent exactly once."""
    values = [value for name, value in headers if name.lower() == REQUEST_ID_HEADER.encode()]
    return values[0].decode("latin-1") if len(values) == 1 else ""
