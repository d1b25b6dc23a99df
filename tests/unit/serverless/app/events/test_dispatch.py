"""Which kind an event is, and which objects are passed over, without AWS."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.common.errors import UsageError
from serverless.app.core.http_problems import UnprocessableError
from serverless.app.events.dispatch import kind_of
from serverless.app.events.kinds import EVENT_KINDS, EventKind
from serverless.app.events.s3 import created_objects
from serverless.app.events.s3_objects import S3Object, is_skipped, result_place

EVENTS = Path(__file__).parents[4] / "functional" / "serverless" / "events"


def event(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("sam/s3_put", "s3"),
        ("s3_eventbridge", "s3"),
        ("s3_test", "s3"),
        ("sam/sqs_receive_message", "sqs"),
        ({"Records": [{"EventSource": "aws:sns", "Sns": {}}]}, "sns"),
        ("sam/cloudwatch_scheduled_event", "warmup"),
        ({"warmup": True}, "warmup"),
        ({"warmup": False}, "direct"),
        ({"selftest": True}, "selftest"),
        ({"selftest": "yes"}, "direct"),
        ({"image": "AA"}, "direct"),
        ({}, "direct"),
        ([], "direct"),
        (None, "direct"),
        # EventBridge Scheduler without an input of its own.
        ({"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"}, "warmup"),
    ],
)
def test_kind_of_what_the_function_answers(content: Any, kind: str) -> None:
    assert kind_of(event(content) if isinstance(content, str) else content) == kind


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"Records": []}, "Records of nobody"),
        ({"Records": None}, "Records of nobody"),
        ({"Records": ["text"]}, "Records of nobody"),
        ({"Records": [{"eventSource": "aws:s3"}, {"eventSource": "aws:sqs"}]}, r"S3 \(aws:s3\), SQS"),
        ({"detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2"}, "EC2 Instance"),
    ],
)
def test_kind_of_another_services_event_is_one_line(content: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        kind_of(content)
    assert "\n" not in str(caught.value)


def test_every_kind_has_its_handler() -> None:
    for kind in EVENT_KINDS.values():
        module, _, function = kind.handler.partition(":")
        assert callable(getattr(import_module(f"serverless.app.events.{module}"), function))


def test_a_new_kind_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"Records": [{"eventSource": "aws:kinesis"}]}
    with pytest.raises(UsageError, match="Kinesis Data Streams"):
        kind_of(content)
    row = EventKind("kinesis", "kinesis:handle", "Kinesis", "aws:kinesis")
    monkeypatch.setitem(EVENT_KINDS, "kinesis", row)
    assert kind_of(content) == "kinesis"
    with pytest.raises(UsageError, match="SNS, Kinesis or a schedule"):
        kind_of({"Records": []})


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("photo.jpg", "photo.jpg"),
        ("my+photo+%281%29.jpg", "my photo (1).jpg"),
        ("a%2Bb/caf%C3%A9.jpg", "a+b/café.jpg"),
        ("100%2525.jpg", "100%25.jpg"),
    ],
)
def test_arrivals_decode_the_key_of_a_notification_once(encoded: str, key: str) -> None:
    content = event("sam/s3_put")
    content["Records"][0]["s3"]["object"]["key"] = encoded
    assert created_objects(content) == [S3Object("example-bucket", key, "", 1024)]


def test_arrivals_take_the_key_of_eventbridge_as_it_is() -> None:
    content = event("s3_eventbridge")
    content["detail"]["object"]["key"] = "a+b %20.jpg"
    (found,) = created_objects(content)
    assert found == S3Object("amzn-s3-demo-bucket1", "a+b %20.jpg", "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", 5)


def test_arrivals_leave_out_what_created_nothing() -> None:
    content = event("sam/s3_put")
    content["Records"][0]["eventName"] = "ObjectRemoved:Delete"
    assert created_objects(content) == []
    assert created_objects(event("s3_eventbridge") | {"detail-type": "Object Deleted"}) == []
    assert created_objects(event("s3_test")) == []


def test_arrivals_of_a_mangled_event_name_the_field() -> None:
    content = event("sam/s3_put")
    del content["Records"][0]["s3"]["object"]["key"]
    with pytest.raises(UnprocessableError, match="key"):
        created_objects(content)


@pytest.mark.parametrize(
    ("key", "results", "passed_over"),
    [
        ("rose.jpg", "", False),
        ("rose.jpg.json", "", True),
        ("ROSE.JSON", "", True),
        ("folder/", "", True),
        ("rose.jpg", "s3://pets/results/", False),
        ("results/pets/rose.jpg.json", "s3://pets/results/", True),
        ("results/rose.jpg", "s3://pets/results/", True),
        ("results/rose.jpg", "s3://pets/results", True),
        ("resultsets/rose.jpg", "s3://pets/results", False),
        ("results/rose.jpg", "s3://others/results/", False),
        ("rose.jpg", "s3://pets", False),
        ("rose.jpg", "s3://pets/", False),
    ],
)
def test_is_passed_over(key: str, results: str, passed_over: bool) -> None:
    assert is_skipped(S3Object("pets", key), results) is passed_over


@pytest.mark.parametrize("results", ["", "s3://pets", "s3://pets/", "s3://pets/r/", "s3://out/r"])
@pytest.mark.parametrize("key", ["rose.jpg", "a/b c.png", "r/rose.jpg", "café"])
def test_no_result_becomes_the_next_object(results: str, key: str) -> None:
    bucket, place = result_place(S3Object("pets", key), results)
    assert is_skipped(S3Object(bucket, place), results)


def test_results_of_two_buckets_do_not_meet() -> None:
    places = {result_place(S3Object(bucket, "rose.jpg"), "s3://out/r/") for bucket in ("pets", "flowers")}
    assert places == {("out", "r/pets/rose.jpg.json"), ("out", "r/flowers/rose.jpg.json")}
