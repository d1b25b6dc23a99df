"""Batches of messages, received from a real queue, with what failed told by its id."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from serverless.app.entry import Handler

CONTEXT = SimpleNamespace(aws_request_id="aws-1")

Load = Callable[..., Handler]
Read = Callable[[str, str], Any]
Event = Callable[..., dict[str, Any]]
Log = Callable[[], list[dict[str, Any]]]


def batch(*bodies: Any, arn: str = "arn:aws:sqs:eu-central-1:123456789012:digits") -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"m{index}",
                "receiptHandle": "handle",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
                "awsRegion": "eu-central-1",
            }
            for index, body in enumerate(bodies)
        ]
    }


def sns(message: Any) -> dict[str, Any]:
    return {"Type": "Notification", "TopicArn": "arn:aws:sns:x:1:t", "Message": json.dumps(message)}


def failed(answer: Any) -> list[str]:
    assert set(answer) == {"batchItemFailures"}
    return [entry["itemIdentifier"] for entry in answer["batchItemFailures"]]


def test_messages_of_every_form(
    function: Load, s3: Any, read: Read, put_event: Event, pictures: list[bytes], log: Log
) -> None:
    for number in (0, 1, 2, 4):
        s3.put_object(Bucket="pets", Key=f"{number}.png", Body=pictures[number])
    bridged = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "pets"}, "object": {"key": "1.png"}},
    }
    answer = function(SNAPSHIP_RESULTS="s3://results/r")(
        batch(
            put_event("0.png"),
            bridged,
            {"bucket": "pets", "key": "2.png", "top_k": 2},
            {"image": base64.b64encode(pictures[3]).decode(), "score_threshold": 0.5},
            {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "pets"},
            sns(put_event("4.png")),
        ),
        CONTEXT,
    )
    assert failed(answer) == []
    assert read("results", "r/pets/4.png.json")["label"] == "4"
    assert read("results", "r/pets/0.png.json")["label"] == "0"
    assert read("results", "r/pets/1.png.json")["label"] == "1"
    assert len(read("results", "r/pets/2.png.json")["predictions"]) == 2
    direct = read("results", "r/messages/m3.json")
    assert (direct["label"], len(direct["predictions"])) == ("3", 1)
    lines = log()
    assert [line["kind"] for line in lines] == ["sqs"] * 6
    assert [line["request_id"] for line in lines] == [f"aws-1/m{index}" for index in range(6)]
    assert [line["status"] for line in lines] == [200, 200, 200, 200, 204, 200]


def test_only_the_messages_that_fail_are_told(
    function: Load, s3: Any, read: Read, put_event: Event, pictures: list[bytes], log: Log
) -> None:
    s3.put_object(Bucket="pets", Key="0.png", Body=pictures[0])
    s3.put_object(Bucket="pets", Key="text.png", Body=b"I am a text")
    answer = function()(
        batch(
            "Hello from SQS!",
            put_event("0.png"),
            "[1, 2]",
            {"bucket": "pets"},
            {"bucket": "others", "key": "0.png"},
            # A result, and so no failure.
            {"bucket": "pets", "key": "text.png"},
            {"bucket": "pets", "key": "gone.png"},
            # Deleted since the event: nothing to do again.
            put_event("gone.png"),
            {"image": "%%%"},
            {"nothing": "known"},
            "\ud800",
            {"image": base64.b64encode(pictures[1]).decode()},
        ),
        CONTEXT,
    )
    assert failed(answer) == ["m0", "m2", "m3", "m4", "m6", "m8", "m9", "m10"]
    assert read("pets", "0.png.json")["label"] == "0"
    assert read("pets", "text.png.json")["error"]["status"] == 415
    told = {line["request_id"][6:]: line for line in log()}
    assert [told[f"m{index}"]["status"] for index in range(12)] == [
        422, 200, 422, 422, 403, 415, 500, 404, 422, 422, 422, 200
    ]  # fmt: skip
    assert told["m11"]["label"] == "1"
    assert "Hello" not in json.dumps(told["m0"])


def test_a_bad_image_in_a_message_is_a_result_where_there_is_a_place_for_it(
    function: Load, s3: Any, read: Read
) -> None:
    body = {"image": base64.b64encode(b"I am a text").decode()}
    assert failed(function()(batch(body), CONTEXT)) == ["m0"]
    assert failed(function(SNAPSHIP_RESULTS="s3://results/")(batch(body), CONTEXT)) == []
    assert read("results", "messages/m0.json")["error"]["status"] == 415


def test_what_is_no_request_is_a_dead_letter_and_no_result(function: Load, s3: Any) -> None:
    """It was deleted, and a result written that nobody looks for."""
    unknown = [{"nothing": "known"}, {"imge": "AA=="}, sns({"nothing": "known"}), {"warmup": True}]
    assert failed(function(SNAPSHIP_RESULTS="s3://results/")(batch(*unknown), CONTEXT)) == [
        "m0",
        "m1",
        "m2",
        "m3",
    ]
    assert "Contents" not in s3.list_objects_v2(Bucket="results")


def test_a_topic_calls_the_function(
    function: Load, s3: Any, read: Read, put_event: Event, pictures: list[bytes], log: Log
) -> None:
    s3.put_object(Bucket="pets", Key="2.png", Body=pictures[2])
    image = {"image": base64.b64encode(pictures[3]).decode()}
    records = [
        {"EventSource": "aws:sns", "Sns": sns(message) | {"MessageId": f"n{index}"}}
        for index, message in enumerate((put_event("2.png"), image))
    ]
    handler = function(SNAPSHIP_RESULTS="s3://results/")
    assert handler({"Records": records}, CONTEXT) == {"messages": 2}
    assert read("results", "pets/2.png.json")["label"] == "2"
    assert read("results", "messages/n1.json")["label"] == "3"
    assert [(line["kind"], line["request_id"]) for line in log()] == [
        ("sns", "aws-1/n0"),
        ("sns", "aws-1/n1"),
    ]


@pytest.mark.parametrize("raw", ["true", "false"])
def test_s3_through_a_real_topic_and_queue(
    function: Load, s3: Any, read: Read, put_event: Event, pictures: list[bytes], raw: str
) -> None:
    boto3 = pytest.importorskip("boto3", reason="needs boto3, which is not installed")
    queues, topics = boto3.client("sqs"), boto3.client("sns")
    url = queues.create_queue(QueueName="images")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = topics.create_topic(Name="images")["TopicArn"]
    topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": raw})
    s3.put_object(Bucket="pets", Key="5.png", Body=pictures[5])
    topics.publish(TopicArn=topic, Message=json.dumps(put_event("5.png")), Subject="Amazon S3 Notification")
    (found,) = queues.receive_message(QueueUrl=url)["Messages"]
    assert ("TopicArn" in json.loads(found["Body"])) == (raw == "false")
    assert failed(function()(batch(found["Body"]), CONTEXT)) == []
    assert read("pets", "5.png.json")["label"] == "5"


def test_a_fifo_queue_is_not_overtaken(function: Load, pictures: list[bytes], log: Log) -> None:
    good = {"image": base64.b64encode(pictures[1]).decode()}
    event = batch(good, "poison", good, good, arn="arn:aws:sqs:eu-central-1:123456789012:digits.fifo")
    assert failed(function()(event, CONTEXT)) == ["m1", "m2", "m3"]
    assert len(log()) == 2


def test_aws_that_is_away_fails_the_message_alone(
    function: Load, s3: Any, pictures: list[bytes], log: Log
) -> None:
    s3.put_object(Bucket="pets", Key="0.png", Body=pictures[0])
    handler = function(SNAPSHIP_RESULTS="s3://nowhere/")
    good = {"warmup": True}
    answer = handler(batch({"bucket": "pets", "key": "0.png"}, good), CONTEXT)
    assert failed(answer) == ["m0", "m1"]
    assert log()[0]["level"] == "ERROR"


def test_what_a_real_queue_delivers_and_its_dead_letter_queue_gets(
    function: Load, s3: Any, read: Read, pictures: list[bytes]
) -> None:
    """S3 sends its notification to SQS, the test does what Lambda's poller does."""
    boto3 = pytest.importorskip("boto3", reason="needs boto3, which is not installed")
    sqs = boto3.client("sqs")

    def queue(name: str, **attributes: str) -> tuple[str, str]:
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, found["Attributes"]["QueueArn"]

    dead_url, dead = queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": "2"})
    url, arn = queue("digits", RedrivePolicy=redrive, VisibilityTimeout="0")
    s3.put_bucket_notification_configuration(
        Bucket="pets",
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    s3.put_object(Bucket="pets", Key="zwei ü.png", Body=pictures[2])
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    handler = function()
    deliveries = []
    for _ in range(6):
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        if not found:
            break
        records = [
            {
                "messageId": one["MessageId"],
                "body": one["Body"],
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
            }
            for one in found
        ]
        back = failed(handler({"Records": records}, CONTEXT))
        deliveries.append(len(found))
        for one in found:
            if one["MessageId"] not in back:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    assert read("pets", "zwei ü.png.json")["label"] == "2"
    waiting = sqs.receive_message(QueueUrl=dead_url)["Messages"]
    assert [one["Body"] for one in waiting] == ["poison"]
    assert len(deliveries) <= 4
