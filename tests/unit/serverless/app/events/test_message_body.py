"""What a message holds: SNS's envelopes, and what is never taken for done."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace
from starlette.applications import Starlette

from edge_runtime.common.errors import SnapshipError, UsageError
from serverless.app.entry import Handler
from serverless.app.events import s3_objects
from serverless.app.events.dispatch import kind_of

# A folder: it is passed over, so that no AWS is needed to see that the event is understood.
NOTIFICATION = {
    "Records": [
        {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "pets"}, "object": {"key": "folder/", "size": 0}},
        }
    ]
}

BRIDGED = {
    "source": "aws.s3",
    "detail-type": "Object Created",
    "detail": {"bucket": {"name": "pets"}, "object": {"key": "folder/", "size": 0}},
}

TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "pets"}

ORDER = {"bucket": "pets", "key": "folder/"}

UNKNOWN: list[Any] = [
    {"nothing": "known"},
    {},
    {"Records": []},
    {"Records": [{"eventSource": "aws:kinesis", "kinesis": {}}]},
    {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]},
    {"Records": [{"EventSource": "aws:sns", "Sns": {}}]},
    {"warmup": True},
    {"selftest": True},
    {"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": {}},
    {"source": "acme.shop", "detail-type": "Object Deleted", "detail": {}},
    {"source": "aws.s3", "detail-type": "AWS API Call via CloudTrail", "detail": {"eventName": "PutObject"}},
    {"source": "aws.s3", "detail-type": 5},
    {"invocationId": "i", "job": {}, "tasks": []},
    {"AlarmName": "errors", "NewStateValue": "ALARM"},
    [{"image": "AA=="}],
    "hello",
    7,
    None,
]


def sns(message: Any, type: str = "Notification") -> dict[str, Any]:
    text = message if isinstance(message, str) else json.dumps(message)
    return {"Type": type, "MessageId": "n", "TopicArn": "arn:aws:sns:eu-central-1:1:t", "Message": text}


def sqs(*bodies: Any) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": f"m{index}", "body": json.dumps(body), "eventSource": "aws:sqs"}
            for index, body in enumerate(bodies)
        ]
    }


def topic(*messages: Any) -> dict[str, Any]:
    """As SNS calls a function."""
    return {
        "Records": [
            {"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": sns(message)} for message in messages
        ]
    }


@pytest.fixture
def handler(app: Starlette) -> Handler:
    app.state.config = replace(app.state.config, s3_buckets=("pets",), results="s3://results/r/")
    return Handler(app)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("content", [NOTIFICATION, BRIDGED, TEST_EVENT, ORDER], ids=lambda one: str(one)[:20])
def test_every_wrapping_is_read(handler: Handler, content: Any, capsys: pytest.CaptureFixture[str]) -> None:
    # Raw delivery, and an envelope.
    assert handler(sqs(content, sns(content)), None) == {"batchItemFailures": []}
    assert handler(topic(content), None) == {"messages": 1}
    found = lines(capsys)
    assert [line["kind"] for line in found] == ["sqs", "sqs", "sns"]
    assert [line["status"] for line in found] == [204, 204, 204]


@pytest.mark.parametrize("content", UNKNOWN, ids=lambda one: str(one)[:40])
def test_what_is_not_understood_fails_where_results_are_written_too(
    handler: Handler, content: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[Any, ...]] = []
    # A write that went well would be the end of the message.
    monkeypatch.setattr(s3_objects, "write", lambda *result: written.append(result))
    answer = handler(sqs(content, sns(content), NOTIFICATION), None)
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["m0", "m1"]
    with pytest.raises(SnapshipError) as caught:
        handler(topic(content, NOTIFICATION), None)
    assert "\n" not in str(caught.value)
    assert not written
    # Each has its line, and the last message of each is done all the same.
    assert [line["status"] // 100 for line in lines(capsys)] == [4, 4, 2, 4, 2]


@pytest.mark.parametrize("type", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_a_confirmation_is_named(handler: Handler, type: str) -> None:
    with pytest.raises(UsageError, match=f"SNS's {type} of arn:aws:sns.*SubscribeURL"):
        handler({"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "m", "Message": json.dumps(
            sns("You have chosen", type))}}]}, None)  # fmt: skip
    answer = handler(sqs(sns("You have chosen", type)), None)
    assert len(answer["batchItemFailures"]) == 1


def test_an_envelope_in_an_envelope_is_not_understood(handler: Handler) -> None:
    assert len(handler(sqs(sns(sns(NOTIFICATION))), None)["batchItemFailures"]) == 1


@pytest.mark.parametrize(
    "record", [{}, {"Sns": {}}, {"Sns": {"Message": 1, "MessageId": "m"}}, {"Sns": None}]
)
def test_a_mangled_event_of_sns_is_one_line(handler: Handler, record: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="as SNS sends it"):
        handler({"Records": [{"EventSource": "aws:sns", **record}]}, None)


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ([{"messageId": "m", "eventSource": "aws:sqs", "body": "{}"}], "EventBridge Pipes.*aws:sqs"),
        ([{"eventSource": "aws:kinesis", "data": "AA=="}], "EventBridge Pipes.*Kinesis"),
        ([{"bucket": "pets", "key": "a.jpg"}], "EventBridge Pipes"),
        (["a body that is no JSON"], "EventBridge Pipes"),
        (
            {"invocationSchemaVersion": "2.0", "invocationId": "i", "job": {}, "tasks": []},
            "S3 Batch Operations",
        ),
        ({"xAmzRequestId": "x", "getObjectContext": {}}, "S3 Object Lambda"),
        ({"Records": [{"eventSource": "aws:kinesis"}]}, "Kinesis Data Streams"),
        ({"Records": [{"eventSource": "aws:dynamodb"}]}, "DynamoDB Streams"),
        ({"Records": [{"eventSource": "aws:ses"}]}, "SES"),
        ({"Records": [{"cf": {}}]}, "CloudFront"),
        ({"eventSource": "aws:kafka", "records": {}}, "Amazon MSK"),
        ({"eventSource": "SelfManagedKafka", "records": {}}, "Apache Kafka"),
        ({"eventSource": "aws:mq", "messages": []}, "Amazon MQ"),
        ({"eventSource": "aws:rmq", "rmqMessagesByQueue": {}}, "RabbitMQ"),
        ({"eventSource": "aws:docdb", "events": []}, "DocumentDB"),
        ({"awslogs": {"data": "AA=="}}, "CloudWatch Logs"),
        ({"invocationId": "i", "deliveryStreamArn": "a", "records": []}, "Data Firehose"),
        ({"source": "aws.cloudwatch", "alarmArn": "a", "alarmData": {}}, "CloudWatch alarm"),
        ({"triggerSource": "PreSignUp", "userPoolId": "u"}, "Cognito"),
        ({"RequestType": "Create", "ResponseURL": "https://x"}, "CloudFormation"),
        ({"CodePipeline.job": {}}, "CodePipeline"),
    ],
)
def test_other_services_are_refused_by_name(handler: Handler, event: Any, name: str) -> None:
    """Not answered: most of them take any answer for success."""
    with pytest.raises(UsageError, match=f"Received: .*{name}") as caught:
        handler(event, None)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError):
        kind_of(event)


def test_a_destinations_record_is_no_request(handler: Handler) -> None:
    event = {"version": "1.0", "requestContext": {}, "requestPayload": {}, "responsePayload": {}}
    with pytest.raises(UsageError, match="a Lambda destination"):
        handler(event, None)
