"""The function's log: one JSON object per line, as written by serverless/app/telemetry.py."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable

from edge_runtime.errors import UsageError
from serverless.aws import Connection, answered
from serverless.deploy.locating import Endpoint

POLL_SECONDS = 2.0

OVERLAP_MS = 30_000
"""How far a later poll goes back, as lines of several instances arrive out of order."""

_REMEMBERED = 20_000
"""How many ids of printed lines are remembered, so that none is printed twice."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds_of(text: str) -> int:
    """Reads a duration, e.g. ``10m``.

    Args:
        text: A whole number and ``s``, ``m``, ``h`` or ``d``.

    Raises:
        UsageError: It has another form.
    """
    found = re.fullmatch(r"([0-9]{1,7})([smhd])", text, re.ASCII)
    if found is None:
        raise UsageError(
            f"A duration must have a form like 90s, 10m, 2h or 7d. Received: {text!r}. Pass e.g. --since 10m."
        )
    return int(found[1]) * _UNITS[found[2]]


def read(
    found: Endpoint,
    aws: Connection,
    since_s: int,
    echo: Callable[[str], None],
    *,
    follow: bool = False,
) -> int:
    """Prints the log, oldest line first.

    Args:
        found: The deployment.
        aws: The account and region.
        since_s: How many seconds to go back.
        echo: Called with each line.
        follow: Keep reading until Ctrl-C.

    Returns:
        The number of lines.
    """
    group = found.stack.outputs.get("LogGroup") or f"/aws/lambda/{found.function}"
    start = int((time.time() - since_s) * 1000)
    seen: OrderedDict[str, None] = OrderedDict()
    count = 0
    while True:
        newest = start
        with answered(f"Reading the log {group}"):
            pages = aws.client("logs").get_paginator("filter_log_events")
            for page in pages.paginate(logGroupName=group, startTime=start):
                for event in page["events"]:
                    newest = max(newest, int(event["timestamp"]))
                    if event["eventId"] not in seen:
                        seen[event["eventId"]] = None
                        echo(event["message"].rstrip("\n"))
                        count += 1
        if not follow:
            return count
        while len(seen) > _REMEMBERED:
            seen.popitem(last=False)
        start = max(start, newest - OVERLAP_MS)
        time.sleep(POLL_SECONDS)
