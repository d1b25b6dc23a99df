"""Which kind an event is, told by what AWS puts into each; the first that fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from edge_runtime.quoting import quoted
from serverless.app.events.foreign import refusal_of, refused, refused_records, source_of
from serverless.app.events.invocation import Invocation

if TYPE_CHECKING:
    from serverless.app.service import Service
    from serverless.app.settings import Settings

Door = Literal["s3", "sqs", "sns", "warmup", "selftest", "direct"]

_DOORS: dict[str, Door] = {"aws:s3": "s3", "aws:sqs": "sqs", "aws:sns": "sns"}

WARM_UPS = ("Scheduled Event",)
"""``detail-type`` of a rule with a schedule, and of EventBridge Scheduler without an input of its own."""


def handle(event: Any, context: Any, service: Service, settings: Settings) -> Any:
    """Answers one event that is no HTTP request.

    Args:
        event: As Lambda hands it over.
        context: Lambda's; None outside of it.
        service: The model.
        settings: The function's.

    Returns:
        For a direct invocation the JSON of ``POST /classify``, or problem details; for SQS the
        messages that failed; else what was done.

    Raises:
        UsageError: It is an event of another service.
        SnapshipError: AWS did not do what was asked of it, so that Lambda tries again.
    """
    request_id = str(getattr(context, "aws_request_id", "") or "")
    invocation = Invocation(service, settings, request_id)
    kind = kind_of(event)
    if kind == "s3":
        from serverless.app.events import s3

        return s3.handle(event, invocation)
    if kind == "sqs":
        from serverless.app.events import sqs

        return sqs.handle(event, invocation)
    if kind == "sns":
        from serverless.app.events import sns

        return sns.handle(event, invocation)
    from serverless.app.events import direct, warmup

    if kind == "warmup":
        return warmup.handle(invocation)
    if kind == "selftest":
        return warmup.selftest(invocation)
    return direct.handle(event, invocation)


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
