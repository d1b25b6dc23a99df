"""Finds the kind of an event and hands the event to that kind's handler."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edge_runtime.quoting import quoted
from serverless.app.events.foreign import refusal_of, refused, refused_records, source_of
from serverless.app.events.invocation import Invocation
from serverless.app.events.kinds import EVENT_KINDS

if TYPE_CHECKING:
    from serverless.app.service import Service
    from serverless.app.settings import AppConfig


def handle(event: Any, context: Any, service: Service, config: AppConfig) -> Any:
    """Answers an event that is not an HTTP request.

    Args:
        event: As Lambda passes it.
        context: Lambda's context; None outside Lambda.
        service: The model.
        config: The app's configuration.

    Returns:
        For a direct invocation the JSON of ``POST /classify``, or problem details; for SQS the
        messages that failed; otherwise what was done.

    Raises:
        UsageError: The event is of a service that is not supported.
        SnapshipError: An AWS call failed; raised so that Lambda tries again.
    """
    request_id = str(getattr(context, "aws_request_id", "") or "")
    module, _, function = EVENT_KINDS[kind_of(event)].handler.partition(":")
    handler = getattr(import_module(f"serverless.app.events.{module}"), function)
    return handler(event, Invocation(service, config, request_id))


def kind_of(event: Any) -> str:
    """Finds the kind of an event, a key of :data:`~serverless.app.events.kinds.EVENT_KINDS`.

    Args:
        event: As Lambda passes it.

    Raises:
        UsageError: The event is of a service that is not supported.
    """
    refusal = refusal_of(event)
    if refusal is not None:
        raise refusal
    if not isinstance(event, dict):
        return "direct"
    if "Records" in event:
        records = event["Records"]
        sources = {source_of(one) for one in records} if isinstance(records, list) else set()
        found = [kind.name for kind in EVENT_KINDS.values() if sources == {kind.source}]
        if not found:
            raise refused_records(records)
        return found[0]
    for kind in EVENT_KINDS.values():
        if kind.matches(event):
            return kind.name
    if "detail-type" in event:
        raise refused(f"{quoted(event['detail-type'])} of {quoted(event.get('source'))}")
    return "direct"
