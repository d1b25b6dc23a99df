"""Which kind an event is, told by what AWS puts into each; the first that fits."""

from __future__ import annotations

from typing import Any, Literal

from edge_runtime.quoting import quoted
from serverless.app.events.foreign import refusal_of, refused, refused_records, source_of

Door = Literal["s3", "sqs", "sns", "warmup", "selftest", "direct"]

_DOORS: dict[str, Door] = {"aws:s3": "s3", "aws:sqs": "sqs", "aws:sns": "sns"}

WARM_UPS = ("Scheduled Event",)
"""``detail-type`` of a rule with a schedule, and of EventBridge Scheduler without an input of its own."""


def kind_of(event: Any) -> Door:
    """Tells the kind of an event.

    Args:
        event: As Lambda hands it over.

    Raises:
        UsageError: It is an event of another service.
    """
    refusal = refusal_of(event)
    if refusal is not None:
        raise refusal
    if not isinstance(event, dict):
        return "direct"
    if "Records" in event:
        records = event["Records"]
        sources = {source_of(one) for one in records} if isinstance(records, list) else set()
        door = _DOORS.get(sources.pop() or "") if len(sources) == 1 else None
        if door is None:
            raise refused_records(records)
        return door
    if event.get("Event") == "s3:TestEvent":
        return "s3"
    if "detail-type" in event:
        if event.get("source") == "aws.s3":
            return "s3"
        if event["detail-type"] in WARM_UPS:
            return "warmup"
        raise refused(f"{quoted(event['detail-type'])} of {quoted(event.get('source'))}")
    if event.get("warmup") is True:
        return "warmup"
    if event.get("selftest") is True:
        return "selftest"
    return "direct"
