"""What calls the function besides people: new images in a bucket, messages, and a clock.

Each source is one function, which returns everything that it adds to the template as an
:class:`EventSource`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serverless.deploy.config.deployment_config import Deployment
from serverless.deploy.template import function
from serverless.deploy.template.front import permission
from serverless.deploy.template.function import arn
from serverless.deploy.template.role import allow

BUCKET = "InputBucket"
QUEUE = "Queue"
DEAD_LETTERS = "DeadLetterQueue"
_DEAD_LETTERS_ARN = {"Fn::GetAtt": [DEAD_LETTERS, "Arn"]}

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""Keys that count as images. Never ``.json``: a result next to its image is a new object too."""

VISIBILITY = 6
"""Visibility timeout, in timeouts of the function (Lambda: configuring a queue to use with Lambda)."""

RECEIVES = 5
"""Attempts before a message becomes a dead letter (same page: at least 5)."""

BATCH = 10
DAY_S = 86_400
DEAD_LETTER_DAYS = 14
"""The longest retention of SQS."""

RETRIES = 2
"""Of an event from a bucket: the maximum of Lambda."""

NOT_PUBLIC = dict.fromkeys(
    ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
)
"""Public access block of a bucket."""

PURPOSES = {
    DEAD_LETTERS: "events that kept failing, for two weeks",
    QUEUE: "images to classify",
    "QueueMapping": "passes messages to the function",
    "EventInvokeConfig": "retries failed events, then keeps them",
    "BucketInvoke": "lets the bucket call the function",
    BUCKET: "new images in it are classified",
    "BucketRule": "calls the function for new images in the bucket",
    "BucketRuleInvoke": "lets the rule call the function",
    "WarmUpRule": "calls the function regularly to keep one instance warm",
    "WarmUpRuleInvoke": "lets the rule call the function",
}
"""What each resource of an event source is for, by logical id."""


@dataclass(frozen=True)
class EventSource:
    """What one event source of a deployment adds to the template.

    Attributes:
        resources: Its resources, by logical id; :data:`PURPOSES` explains each.
        permissions: Statements that the function's role needs for it.
        outputs: Description and value of its outputs, by name.
        keeps_failures: Whether events that keep failing go to the dead-letter queue, and an alarm.
    """

    resources: dict[str, Any]
    permissions: Sequence[dict[str, Any]] = ()
    outputs: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    keeps_failures: bool = True


def sources(deployment: Deployment) -> list[EventSource]:
    """The event sources of a deployment.

    Args:
        deployment: The desired endpoint.
    """
    made = (_work_queue(deployment), _input_bucket(deployment), _warm_up(deployment))
    found = [source for source in made if source is not None]
    if any(source.keeps_failures for source in found):
        days = DEAD_LETTER_DAYS * DAY_S
        queue = {DEAD_LETTERS: _queue(f"{deployment.stack}_dead", MessageRetentionPeriod=days)}
        url = ("Queue of events that failed for good", {"Ref": DEAD_LETTERS})
        found.insert(0, EventSource(queue, outputs={"DeadLetterQueueUrl": url}))
    return found


def _work_queue(deployment: Deployment) -> EventSource | None:
    if not deployment.queue:
        return None
    queue_arn = {"Fn::GetAtt": [QUEUE, "Arn"]}
    return EventSource(
        resources={
            QUEUE: _queue(
                deployment.stack,
                VisibilityTimeout=VISIBILITY * deployment.timeout_s,
                RedrivePolicy={"deadLetterTargetArn": _DEAD_LETTERS_ARN, "maxReceiveCount": RECEIVES},
            ),
            "QueueMapping": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "EventSourceArn": queue_arn,
                    "FunctionName": {"Ref": function.ALIAS},
                    "BatchSize": BATCH,
                    "FunctionResponseTypes": ["ReportBatchItemFailures"],
                    **_at_most(deployment.reserved_concurrency),
                },
            },
        },
        # What Lambda does with a queue that it polls on behalf of the function.
        permissions=[
            allow(
                "TakeMessages",
                ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                queue_arn,
            )
        ],
        outputs={"QueueUrl": ("Queue of images to classify", {"Ref": QUEUE})},
    )


def _at_most(reserved: int | None) -> dict[str, Any]:
    # Otherwise the pollers receive messages that the function has no capacity for, and those end up as
    # dead letters. AWS accepts 2 to 1000.
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


def _input_bucket(deployment: Deployment) -> EventSource | None:
    bucket, exists = deployment.input_bucket, deployment.bucket_exists
    if bucket is None:
        return None
    config = {
        "Type": "AWS::Lambda::EventInvokeConfig",
        "DependsOn": function.ALIAS,
        "Properties": {
            "FunctionName": {"Ref": function.FUNCTION},
            "Qualifier": function.ALIAS_NAME,
            "MaximumRetryAttempts": RETRIES,
            "DestinationConfig": {"OnFailure": {"Destination": _DEAD_LETTERS_ARN}},
        },
    }
    # A bucket that exists may be versioned, and its events name versions.
    actions = ["s3:GetObject", *(["s3:GetObjectVersion"] if exists else [])]
    name = bucket if exists else {"Ref": BUCKET}
    return EventSource(
        resources={
            "EventInvokeConfig": config,
            **(_bucket_rule(bucket) if exists else _own_bucket(bucket)),
        },
        permissions=[
            allow("ReadImages", actions, arn("s3", f"{bucket}/*")),
            # Without it, S3 answers "forbidden" for an image that was deleted, and the event is retried for hours.
            allow("TellWhatIsGone", ["s3:ListBucket"], arn("s3", bucket)),
            allow("KeepFailedEvents", ["sqs:SendMessage"], _DEAD_LETTERS_ARN),
        ],
        outputs={"InputBucket": ("Bucket whose new images are classified", name)},
    )


def _own_bucket(name: str) -> dict[str, Any]:
    suffixes = [spelt for suffix in IMAGE_SUFFIXES for spelt in (suffix, suffix.upper())]
    return {
        "BucketInvoke": permission(
            "lambda:InvokeFunction",
            "s3.amazonaws.com",
            # By name, since the bucket depends on this permission. A name may pass to another account.
            {"SourceArn": arn("s3", name), "SourceAccount": {"Ref": "AWS::AccountId"}},
        ),
        BUCKET: {
            "Type": "AWS::S3::Bucket",
            # S3 tests a notification when it is set.
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
                "PublicAccessBlockConfiguration": NOT_PUBLIC,
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


def _warm_up(deployment: Deployment) -> EventSource | None:
    minutes = deployment.warm_up_minutes
    if minutes is None:
        return None
    rate = {"ScheduleExpression": f"rate({minutes} minute{'s' if minutes > 1 else ''})"}
    rule = _rule("WarmUpRule", "Keeps an instance warm", rate, {"Input": '{"warmup": true}'})
    return EventSource(rule, keeps_failures=False)


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
