"""Finds the kind of an event and hands the event to that kind's handler.

Events of unsupported services are recognized by what AWS puts into each. They are refused by
raising, never answered: most of these services take any answer for success and drop the event.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edge_runtime.common.errors import UsageError
from edge_runtime.common.text import quoted, shortened
from serverless.app.events.invocation import Invocation
from serverless.app.events.kinds import EVENT_KINDS

if TYPE_CHECKING:
    from serverless.app.core.service import Service
    from serverless.app.core.settings import AppConfig


_QUEUE = "Send S3 events or messages through SQS or SNS instead."

_SOURCES = {
    "aws:kinesis": "Kinesis Data Streams",
    "aws:dynamodb": "DynamoDB Streams",
    "aws:kafka": "Amazon MSK",
    "SelfManagedKafka": "Apache Kafka",
    "aws:mq": "Amazon MQ",
    "aws:amq": "Amazon MQ",
    "aws:rmq": "Amazon MQ (RabbitMQ)",
    "aws:docdb": "DocumentDB",
    "aws:ses": "SES",
    "aws:codecommit": "CodeCommit",
    **{kind.source: kind.service for kind in EVENT_KINDS.values() if kind.source},
}
"""Services by their ``eventSource``: https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html."""

_MEMBERS: tuple[tuple[frozenset[str], str, str], ...] = (
    (
        frozenset({"invocationId", "job", "tasks"}),
        "S3 Batch Operations",
        'Send {"bucket": ..., "key": ...} for each object of the manifest to an SQS queue instead.',
    ),
    (
        frozenset({"getObjectContext"}),
        "S3 Object Lambda",
        "It changes objects while they are read; classify them with an S3 event instead.",
    ),
    (frozenset({"awslogs"}), "CloudWatch Logs", _QUEUE),
    (frozenset({"alarmArn", "alarmData"}), "a CloudWatch alarm", _QUEUE),
    (frozenset({"deliveryStreamArn", "records"}), "Data Firehose", _QUEUE),
    (frozenset({"rmqMessagesByQueue"}), "Amazon MQ (RabbitMQ)", _QUEUE),
    (frozenset({"triggerSource", "userPoolId"}), "a Cognito user pool", _QUEUE),
    (frozenset({"RequestType", "ResponseURL"}), "a CloudFormation custom resource", _QUEUE),
    (frozenset({"CodePipeline.job"}), "CodePipeline", _QUEUE),
    (
        frozenset({"requestPayload", "responsePayload"}),
        "a Lambda destination",
        "Invoke the function with its responsePayload instead.",
    ),
)
"""Members that only this service's events have, the service, and the cure."""

_PIPES = (
    "Connect the queue to the function by an event source mapping, or let the pipe write to an SQS queue."
)


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


def refusal_of(event: Any) -> UsageError | None:
    """The error for an event of a known but unsupported service.

    Args:
        event: As Lambda passes it, or from a message.

    Returns:
        None if nothing in the event identifies such a service.
    """
    if isinstance(event, list):
        # A pipe passes its batch as a bare list of source records or of what its template makes.
        if not event:
            return None
        return refused(
            f"a list, as EventBridge Pipes sends it, of {_sources(event) or 'other records'}", _PIPES
        )
    if not isinstance(event, dict):
        return None
    for members, name, cure in _MEMBERS:
        if members <= event.keys():
            return refused(name, cure)
    source = event.get("eventSource")
    if isinstance(source, str):
        return refused(_SOURCES.get(source, quoted(source)), _QUEUE)
    return None


def refused_records(records: Any) -> UsageError:
    """The error for ``Records`` that do not all come from one supported service.

    Args:
        records: The event's records.
    """
    return refused(f"Records of {_sources(records) or 'nobody'}", _QUEUE)


def refused(received: str, cure: str = "Connect the function to one of these.") -> UsageError:
    """The error that lists the supported events.

    Args:
        received: Where the event came from, shortened if it repeats the event.
        cure: What to do, as a sentence.
    """
    services = ", ".join(kind.service for kind in EVENT_KINDS.values() if kind.service)
    return UsageError(
        f"An event must come from API Gateway, a function URL, an ALB, {services} or a schedule, or be "
        f'{{"image": BASE64}}. Received: {received}. {cure}'
    )


def source_of(record: Any) -> str | None:
    """The service that a record names; only SNS capitalizes the member."""
    if not isinstance(record, dict):
        return None
    source = record.get("eventSource", record.get("EventSource"))
    if source is None and "cf" in record:
        return "CloudFront (Lambda@Edge)"
    return source if isinstance(source, str) else None


def _sources(records: Any) -> str:
    found = {source_of(record) for record in records} if isinstance(records, list) else set()
    named = (f"{_SOURCES[name]} ({name})" if name in _SOURCES else name for name in found if name is not None)
    return shortened(", ".join(sorted(named)), 200)
