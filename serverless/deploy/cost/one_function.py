"""Runs the function on this machine as Lambda would, for ``snapship cost``.

python one_function.py RESULT SECONDS REQUESTS IMAGE...  (the settings are in the environment)

Starts the app as Lambda does, repeatedly sends it each image as a function URL's event, and writes a
:class:`Sample` to RESULT as JSON. Imports nothing before the clock is started.
"""

from __future__ import annotations

import time

_STARTED = time.perf_counter()


def main() -> None:
    """Measures, and writes the result."""
    # What a start of a function covers on Lambda.
    from serverless.app import handler

    init_ms = (time.perf_counter() - _STARTED) * 1000

    import base64
    import json
    import os
    import sys
    from pathlib import Path

    result, seconds, least, *images = sys.argv[1:]
    events = [_event(base64.b64encode(Path(image).read_bytes()).decode()) for image in images]
    # The app's log is measured, not shown.
    log = Path(result).with_suffix(".log")
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    for event in events:
        _answer(handler, event)
    log_before = log.stat().st_size
    times: list[float] = []
    end = time.perf_counter() + float(seconds)
    while len(times) < int(least) or time.perf_counter() < end:
        for event in events:
            before = time.perf_counter()
            _answer(handler, event)
            times.append((time.perf_counter() - before) * 1000)
    text = log.read_bytes()
    found = {
        "init_ms": init_ms,
        "ms": times,
        "peak_bytes": _peak_bytes(),
        "log_bytes": (len(text) - log_before) / len(times),
        "metrics": _metrics(text),
    }
    Path(result).write_text(json.dumps(found))


def _answer(handler: object, event: dict[str, object]) -> None:
    answer = handler(event, _Context())  # type: ignore[operator]
    if answer["statusCode"] != 200:
        raise SystemExit(f"status {answer['statusCode']}: {answer['body'][:300]}")


class _Context:
    """What the app reads of Lambda's context."""

    aws_request_id = "00000000-0000-4000-8000-000000000000"
    function_name = "snapship-cost"
    memory_limit_in_mb = "1769"
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:snapship-cost:live"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def _event(body: str) -> dict[str, object]:
    """A function URL's event with an image, format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/classify",
        "rawQueryString": "",
        "headers": {"host": "cost.lambda-url.us-east-1.on.aws", "content-type": "application/octet-stream"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "cost",
            "domainName": "cost.lambda-url.us-east-1.on.aws",
            "http": {
                "method": "POST",
                "path": "/classify",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "snapship-cost",
            },
            "requestId": "cost",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1767225600000,
        },
        "body": body,
        "isBase64Encoded": True,
    }


def _peak_bytes() -> int:
    import resource
    import sys

    try:
        with open("/proc/self/status", encoding="ascii") as file:
            # This process alone; getrusage includes the process that started it.
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, KiB elsewhere.
    return most if sys.platform == "darwin" else most * 1024


def _metrics(log: bytes) -> int:
    """Number of metrics in a line of the log."""
    import json

    for line in reversed(log.splitlines()):
        try:
            groups = json.loads(line)["_aws"]["CloudWatchMetrics"]
        except (ValueError, KeyError, TypeError):
            continue
        return sum(len(group["Metrics"]) for group in groups)
    return 0


if __name__ == "__main__":
    main()
