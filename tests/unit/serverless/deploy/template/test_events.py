"""What calls the function besides people."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serverless.deploy.config.deployment_config import Deployment
from serverless.deploy.template import Code, template


def made(**options: Any) -> dict[str, Any]:
    return template(Deployment("flowers", **options), Code("b", "k", "ab" * 32))


def test_plain_endpoint_has_no_bucket_queue_or_clock() -> None:
    kinds = {entry["Type"] for entry in made()["Resources"].values()}
    assert not {kind for kind in kinds if kind.startswith(("AWS::S3", "AWS::SQS", "AWS::Events"))}
    assert not {"QueueUrl", "InputBucket", "DeadLetterQueueUrl"} & set(made()["Outputs"])


def test_bucket_of_the_stack_waits_for_its_permission() -> None:
    found = made(input_bucket="acme-images")
    bucket = found["Resources"]["InputBucket"]
    assert bucket["DependsOn"] == "BucketInvoke"
    allowed = found["Resources"]["BucketInvoke"]["Properties"]
    assert allowed["SourceArn"] == {"Fn::Sub": "arn:${AWS::Partition}:s3:::acme-images"}
    assert allowed["SourceAccount"] == {"Ref": "AWS::AccountId"}
    assert bucket["DeletionPolicy"] == "Delete"
    assert all(bucket["Properties"]["PublicAccessBlockConfiguration"].values())
    assert found["Outputs"]["InputBucket"]["Value"] == {"Ref": "InputBucket"}


def test_bucket_calls_for_images_and_never_for_a_result() -> None:
    bucket = made(input_bucket="acme-images")["Resources"]["InputBucket"]["Properties"]
    suffixes = []
    for entry in bucket["NotificationConfiguration"]["LambdaConfigurations"]:
        assert entry["Function"] == {"Ref": "LiveAlias"}
        (rule,) = entry["Filter"]["S3Key"]["Rules"]
        assert rule["Name"] == "suffix"
        suffixes.append(rule["Value"])
    assert {".jpg", ".JPG", ".png", ".webp", ".tiff"} <= set(suffixes)
    # A result is an object too: the function would call itself for ever.
    assert not [suffix for suffix in suffixes if "photo.jpg.json".endswith(suffix) or suffix == ""]
    # S3 refuses two filters that one key meets.
    assert not [(a, b) for a in suffixes for b in suffixes if a != b and a.endswith(b)]


def test_bucket_that_exists_is_watched_by_a_rule() -> None:
    found = made(input_bucket="acme-images", bucket_exists=True)
    assert "InputBucket" not in found["Resources"]
    pattern = found["Resources"]["BucketRule"]["Properties"]["EventPattern"]
    assert pattern["source"] == ["aws.s3"]
    assert pattern["detail"]["bucket"]["name"] == ["acme-images"]
    assert {"suffix": {"equals-ignore-case": ".jpg"}} in pattern["detail"]["object"]["key"]
    allowed = found["Resources"]["BucketRuleInvoke"]["Properties"]
    assert allowed["SourceArn"] == {"Fn::GetAtt": ["BucketRule", "Arn"]}
    assert found["Outputs"]["InputBucket"]["Value"] == "acme-images"


@pytest.mark.parametrize(
    ("results", "place"),
    [
        (None, "acme-images/*.json"),
        ("s3://acme-results/", "acme-results/*.json"),
        ("s3://acme-results/a/", "acme-results/a/*.json"),
    ],
)
def test_results_may_be_written_to_their_place_alone(results: str | None, place: str) -> None:
    found = made(input_bucket="acme-images", results=results)["Resources"]
    statements = found["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    by_sid = {entry["Sid"]: entry["Resource"].get("Fn::Sub") for entry in statements}
    assert by_sid["WriteResults"] == f"arn:${{AWS::Partition}}:s3:::{place}"
    assert by_sid["ReadImages"] == "arn:${AWS::Partition}:s3:::acme-images/*"


def test_queue_without_a_bucket_may_write_results_and_read_nothing() -> None:
    found = made(queue=True, results="s3://acme-results/a/")["Resources"]
    statements = found["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert [entry["Sid"] for entry in statements] == ["Log", "WriteResults", "TakeMessages"]


def test_event_that_fails_for_good_is_kept() -> None:
    found = made(input_bucket="acme-images")["Resources"]
    config = found["EventInvokeConfig"]["Properties"]
    assert config["Qualifier"] == "live"
    assert config["DestinationConfig"]["OnFailure"]["Destination"] == {
        "Fn::GetAtt": ["DeadLetterQueue", "Arn"]
    }
    assert "LostEventAlarm" in found
    assert "Queue" not in found


@pytest.mark.parametrize("timeout_s", [1, 30, 900])
def test_queue_hides_a_message_for_six_timeouts(timeout_s: int) -> None:
    found = made(queue=True, timeout_s=timeout_s)["Resources"]
    queue, dead = found["Queue"]["Properties"], found["DeadLetterQueue"]["Properties"]
    assert queue["VisibilityTimeout"] == 6 * timeout_s
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]},
        "maxReceiveCount": 5,
    }
    assert queue["SqsManagedSseEnabled"] is dead["SqsManagedSseEnabled"] is True
    assert dead["MessageRetentionPeriod"] == 14 * 24 * 3600


@pytest.mark.parametrize(("reserved", "most"), [(None, None), (1, None), (2, 2), (50, 50)])
def test_queue_reports_each_failed_message_and_keeps_to_the_reserve(
    reserved: int | None, most: int | None
) -> None:
    mapping = made(queue=True, reserved_concurrency=reserved)["Resources"]["QueueMapping"]["Properties"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["FunctionName"] == {"Ref": "LiveAlias"}
    assert mapping.get("ScalingConfig") == (None if most is None else {"MaximumConcurrency": most})


@pytest.mark.parametrize(("minutes", "rate"), [(1, "rate(1 minute)"), (5, "rate(5 minutes)")])
def test_warm_up_sends_what_the_app_knows(minutes: int, rate: str) -> None:
    rule = made(warm_up_minutes=minutes)["Resources"]["WarmUpRule"]["Properties"]
    assert rule["ScheduleExpression"] == rate
    assert json.loads(rule["Targets"][0]["Input"]) == {"warmup": True}
