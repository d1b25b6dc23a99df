"""The kinds of events that the function answers. A new one is a row here and a module with its handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WARM_UPS = ("Scheduled Event",)
"""``detail-type`` of a rule with a schedule, and of EventBridge Scheduler without an input of its own."""


@dataclass(frozen=True)
class EventKind:
    """One kind of event.

    Attributes:
        name: Its name, also in the log.
        handler: ``module:function`` below this package, called with the event and its
            :class:`~serverless.app.events.invocation.Invocation`; imported at the first event.
        service: The AWS service that sends it; empty for invocations by hand.
        source: What ``eventSource`` says in each of its ``Records``; empty where it has none.
        matches: Whether an event without ``Records`` is of this kind.
    """

    name: str
    handler: str
    service: str = ""
    source: str = ""
    matches: Callable[[dict[str, Any]], bool] = lambda event: False


def _is_s3(event: dict[str, Any]) -> bool:
    return event.get("Event") == "s3:TestEvent" or (
        "detail-type" in event and event.get("source") == "aws.s3"
    )


def _is_warm_up(event: dict[str, Any]) -> bool:
    if "detail-type" in event:
        return event["detail-type"] in WARM_UPS
    return event.get("warmup") is True


def _is_selftest(event: dict[str, Any]) -> bool:
    return event.get("selftest") is True


EVENT_KINDS = {
    kind.name: kind
    for kind in (
        EventKind("s3", "s3:handle", "S3", "aws:s3", _is_s3),
        EventKind("sqs", "sqs:handle", "SQS", "aws:sqs"),
        EventKind("sns", "sns:handle", "SNS", "aws:sns"),
        EventKind("warmup", "warmup:handle", matches=_is_warm_up),
        EventKind("selftest", "warmup:selftest", matches=_is_selftest),
        EventKind("direct", "direct_invocation:handle"),
    )
}
"""In the order in which they are tried; what matches none is ``direct``."""
