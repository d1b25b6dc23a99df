"""One JSON line for each request or event on stdout, which is CloudWatch's metric format too.

Never in it: pixels, bytes or text of an image, query, header or key. What a client chooses
(path, method) or a model (label) is shortened, and JSON keeps it within its line.

The metrics are ``Requests``, ``Errors`` (HTTP 5xx), ``Latency`` in ms and ``ColdStarts``, by
``Function``; CloudWatch takes them from the line itself:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from edge_runtime.quoting import cut

if TYPE_CHECKING:
    from serverless.app.service import TimedResult

NAMESPACE = "snapship"

MAX_TEXT = 200
"""Characters of one text in a line."""

MAX_TRACE_ENTRY = 1_000
"""Characters of one frame of a stack trace, or of an exception's message."""

MAX_TRACE = 4_000
"""Characters of a stack trace; its end is what is kept."""

METRICS = [
    {"Name": "Requests", "Unit": "Count"},
    {"Name": "Errors", "Unit": "Count"},
    {"Name": "Latency", "Unit": "Milliseconds"},
    {"Name": "ColdStarts", "Unit": "Count"},
]

_lock = threading.Lock()
_warm = False


class RequestRecord(msgspec.Struct, omit_defaults=True):
    """What happened, filled in on the way; fields with their default are left out of the line.

    Attributes:
        kind: ``http``, or a kind of event.
        request_id: Also in the answer.
        method: Of HTTP.
        path: Of HTTP, without its query; the key of an S3 object has no place here.
        status: Of HTTP; other events use its meaning: 200, 400 for bad input, 500.
        bytes: Of the body or the object.
        width: Pixels of the only image, as stored.
        height: As width.
        images: How many were classified.
        label: Best class of the only image.
        score: Its score.
        key: Name of the API key.
        read_ms: Receiving and parsing.
        decode_ms: Decoding and resizing, summed over the images.
        classify_ms: Inference, summed over the images.
        total_ms: From the first line of the app to its last.
        error: Class of the exception; no message, since that may repeat what was sent.
        trace: Of a failure of the server, its stack trace.
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
    key: str = ""
    read_ms: float | None = None
    decode_ms: float | None = None
    classify_ms: float | None = None
    total_ms: float = 0.0
    error: str = ""
    trace: str = ""

    def add_request(self, images: int, start: float) -> None:
        """Notes a request that was read and parsed.

        Args:
            images: How many it holds.
            start: When it came, by ``time.perf_counter``.
        """
        self.images, self.read_ms = images, (time.perf_counter() - start) * 1000

    def add_results(self, examined: Sequence[TimedResult]) -> None:
        """Notes what was classified: times in sum, size and class where it is one image."""
        self.decode_ms = sum(one.decode_ms for one in examined)
        self.classify_ms = sum(one.classify_ms for one in examined)
        if len(examined) == 1 == self.images:
            (one,) = examined
            self.width, self.height = one.width, one.height
            if one.result:
                self.label, self.score = one.result.top.label, one.result.top.score

    def failed(self, error: BaseException) -> None:
        """Notes what went wrong inside the server."""
        self.error = type(error).__name__
        entries = (cut(entry, MAX_TRACE_ENTRY) for entry in traceback.format_exception(error))
        self.trace = "".join(entries)[-MAX_TRACE:]


def record_of(scope: MutableMapping[str, Any]) -> RequestRecord:
    """The record of a request that is being answered.

    Args:
        scope: An ASGI scope.
    """
    record: RequestRecord = scope.setdefault("state", {}).setdefault("record", RequestRecord("http"))
    return record


def take_cold_start() -> bool:
    """Whether this is the process's first request; true once."""
    global _warm
    with _lock:
        cold, _warm = not _warm, True
        return cold


def log_event(record: RequestRecord, *, namespace: str = NAMESPACE) -> None:
    """Writes a record as one line to stdout; the first one of a process is its cold start.

    Args:
        record: A finished request or event.
        namespace: Of the metrics; empty for a line without metrics.
    """
    text = line(record, namespace=namespace, cold_start=take_cold_start())
    # A log that nobody reads any more is no reason to fail a request.
    with suppress(OSError):
        # One call, so that lines of several threads do not mix.
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def line(record: RequestRecord, *, namespace: str, cold_start: bool) -> str:
    """Makes the line, in ASCII and without a line break.

    Args:
        record: A finished request or event.
        namespace: Of the metrics; empty for none.
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
    # The standard library's, since it writes everything beyond ASCII as an escape.
    return json.dumps(content, separators=(",", ":"))
