"""What calls the function besides people: new images in a bucket, messages, and a clock."""

from __future__ import annotations

from typing import Any

from serverless.deploy.config import Deployment
from serverless.deploy.template import function
from serverless.deploy.template.arns import arn
from serverless.deploy.template.front import permission

BUCKET = "InputBucket"
QUEUE = "Queue"
DEAD_LETTERS = "DeadLetterQueue"

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""Keys that count as images. Above all not ``.json``: a result beside its image is a new object too."""

VISIBILITY = 6
"""A message stays hidden this many timeouts of the function (Lambda: configuring a queue to use with Lambda)."""

RECEIVES = 5
"""Tries of a message before it counts as dead (same page: at least 5)."""

BATCH = 10
DAY_S = 86_400
DEAD_LETTER_DAYS = 14
"""The longest that SQS keeps a message."""

RETRIES = 2
"""Of an event from a bucket, the most that Lambda makes."""


def resources(deployment: Deployment) -> dict[str, Any]:
    """Buckets, rules and queues, and what lets them call.

    Args:
        deployment: What it shall be.
    """
    return {**_queues(deployment), **_bucket(deployment), **_warm_up(deployment)}


def outputs(deployment: Deployment) -> dict[str, tuple[str, Any]]:
    """Description and value of the outputs that belong to events.

    Args:
        deployment: What it shall be.
    """
    found: dict[str, tuple[str, Any]] = {}
    if deployment.queue:
        found["QueueUrl"] = ("Queue of work", {"Ref": QUEUE})
    if _needs_dead_letters(deployment):
        found["DeadLetterQueueUrl"] = ("Queue of what failed for good", {"Ref": DEAD_LETTERS})
    if deployment.input_bucket is not None:
        name = deployment.input_bucket if deployment.bucket_exists else {"Ref": BUCKET}
        found["InputBucket"] = ("Bucket whose new images are classified", name)
    return found


def _needs_dead_letters(deployment: Deployment) -> bool:
    return deployment.queue or deployment.input_bucket is not None


def _queues(deployment: Deployment) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if _needs_dead_letters(deployment):
        found[DEAD_LETTERS] = _queue(
            f"{deployment.stack}_dead", MessageRetentionPeriod=DEAD_LETTER_DAYS * DAY_S
        )
    if deployment.queue:
        dead = {"Fn::GetAtt": [DEAD_LETTERS, "Arn"]}
        found[QUEUE] = _queue(
            deployment.stack,
            VisibilityTimeout=VISIBILITY * deployment.timeout_s,
            RedrivePolicy={"deadLetterTargetArn": dead, "maxReceiveCount": RECEIVES},
        )
        found["QueueMapping"] = {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "EventSourceArn": {"Fn::GetAtt": [QUEUE, "Arn"]},
                "FunctionName": {"Ref": function.ALIAS},
                "BatchSize": BATCH,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                **_at_most(deployment.reserved_concurrency),
            },
        }
    return found


def _at_most(reserved: int | None) -> dict[str, Any]:
    # Else the queue's pollers take messages that the function has no room for, and those end up dead.
    # 2 to 1000 are what AWS takes.
    if reserved is None or reserved < 2:
        return {}
    return {"ScalingConfig": {"MaximumConcurrency": min(reserved, 1000)}}


def _queue(name: str, **properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::SQS::Queue",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {"QueueName": name, "SqsManagedSseEnabled": True, **properties},
    }


def _bucket(deployment: Deployment) -> dict[str, Any]:
    if deployment.input_bucket is None:
        return {}
    failed = {
        "EventInvokeConfig": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "DependsOn": function.ALIAS,
            "Properties": {
                "FunctionName": {"Ref": function.FUNCTION},
                "Qualifier": function.ALIAS_NAME,
                "MaximumRetryAttempts": RETRIES,
                "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": [DEAD_LETTERS, "Arn"]}}},
            },
        }
    }
    made = _bucket_rule if deployment.bucket_exists else _own_bucket
    return {**failed, **made(deployment.input_bucket)}


def _own_bucket(name: str) -> dict[str, Any]:
    suffixes = [spelt for suffix in IMAGE_SUFFIXES for spelt in (suffix, suffix.upper())]
    return {
        "BucketInvoke": permission(
            "lambda:InvokeFunction",
            "s3.amazonaws.com",
            # By name, since the bucket waits for this permission. A name may pass to another account.
            {"SourceArn": arn("s3", name), "SourceAccount": {"Ref": "AWS::AccountId"}},
        ),
        BUCKET: {
            "Type": "AWS::S3::Bucket",
            # S3 tries the notification when it is set.
            "DependsOn": "BucketInvoke",
            # CloudFormation deletes an empty bucket and refuses one with objects.
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "BucketName": name,
                "NotificationConfiguration": {
                    "LambdaConfigurations": [_notification(suffix) for suffix in suffixes]
                },
                "BucketEncryption": {
                    "ServerSideEncryptionConfiguration": [
                        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                    ]
                },
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "BlockPublicPolicy": True,
                    "IgnorePublicAcls": True,
                    "RestrictPublicBuckets": True,
                },
            },
        },
    }


def _notification(suffix: str) -> dict[str, Any]:
    return {
        "Event": "s3:ObjectCreated:*",
        "Function": {"Ref": function.ALIAS},
        "Filter": {"S3Key": {"Rules": [{"Name": "suffix", "Value": suffix}]}},
    }


def _bucket_rule(name: str) -> dict[str, Any]:
    keys = [{"suffix": {"equals-ignore-case": suffix}} for suffix in IMAGE_SUFFIXES]
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [name]}, "object": {"key": keys}},
    }
    return _rule("BucketRule", "New images in the input bucket", {"EventPattern": pattern}, {})


def _warm_up(deployment: Deployment) -> dict[str, Any]:
    minutes = deployment.warm_up_minutes
    if minutes is None:
        return {}
    rate = f"rate({minutes} minute{'s' if minutes > 1 else ''})"
    return _rule(
        "WarmUpRule", "Keeps an instance ready", {"ScheduleExpression": rate}, {"Input": '{"warmup": true}'}
    )


def _rule(name: str, description: str, when: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Description": description,
                "State": "ENABLED",
                **when,
                "Targets": [{"Id": "function", "Arn": {"Ref": function.ALIAS}, **target}],
            },
        },
        f"{name}Invoke": permission(
            "lambda:InvokeFunction",
            "events.amazonaws.com",
            {"SourceArn": {"Fn::GetAtt": [name, "Arn"]}},
        ),
    }
