"""Hands an event to what answers its kind; each is imported at its first event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serverless.app.events.invocation import Invocation
from serverless.app.events.kinds import kind_of

if TYPE_CHECKING:
    from serverless.app.service import Service
    from serverless.app.settings import Settings


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
