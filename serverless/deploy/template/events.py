"""What calls the function besides people: new images in a bucket, messages, and a clock.

Each source is one :class:`EventSource`: its resources with what they are for, what it needs of the
role, its outputs, and whether its failures are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serverless.deploy.config import Deployment
from serverless.deploy.template import function
from serverless.deploy.template.arns import arn
from serverless.deploy.template.front import permission
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


@dataclass(frozen=True)
class EventSource:
    """Something that calls the function.

    Attributes:
        enabled: Whether a deployment has it.
        resources: Its resources, by logical id.
        purposes: What each of its possible resources is for, by logical id.
        permissions: Statements that the function's role needs for it.
        outputs: Description and value of its outputs, by name.
        keeps_failures: Whether events that keep failing go to the dead-letter queue.
    """

    enabled: Callable[[Deployment], bool]
    resources: Callable[[Deployment], dict[str, Any]]
    purposes: Mapping[str, str]
    permissions: Callable[[Deployment], list[dict[str, Any]]] = lambda deployment: []
    outputs: Callable[[Deployment], dict[str, tuple[str, Any]]] = lambda deployment: {}
    keeps_failures: bool = True


def resources(deployment: Deployment) -> dict[str, Any]:
    """Buckets, rules and queues, and the permissions for them to call.

    Args:
        deployment: The desired endpoint.
    """
    found: dict[str, Any] = {}
    if keeps_failures(deployment):
        found[DEAD_LETTERS] = _queue(
            f"{deployment.stack}_dead", MessageRetentionPeriod=DEAD_LETTER_DAYS * DAY_S
        )
    for source in _enabled(deployment):
        found |= source.resources(deployment)
    return found


def permissions(deployment: Deployment) -> list[dict[str, Any]]:
    """Statements that the function's role needs for its events.

    Args:
        deployment: The desired endpoint.
    """
    return [entry for source in _enabled(deployment) for entry in source.permissions(deployment)]


def outputs(deployment: Deployment) -> dict[str, tuple[str, Any]]:
    """Description and value of the outputs that belong to events.

    Args:
        deployment: The desired endpoint.
    """
    found: dict[str, tuple[str, Any]] = {}
    if keeps_failures(deployment):
        found["DeadLetterQueueUrl"] = ("Queue of events that failed for good", {"Ref": DEAD_LETTERS})
    for source in _enabled(deployment):
        found |= source.outputs(deployment)
    return found


def keeps_failures(deployment: Deployment) -> bool:
    """Whether there is a dead-letter queue.

    Args:
        deployment: The desired endpoint.
    """
    return any(source.keeps_failures for source in _enabled(deployment))


def _enabled(deployment: Deployment) -> list[EventSource]:
    return [source for source in SOURCES if source.enabled(deployment)]


def _work_queue(deployment: Deployment) -> dict[str, Any]:
    return {
        QUEUE: _queue(
            deployment.stack,
            VisibilityTimeout=VISIBILITY * deployment.timeout_s,
            RedrivePolicy={"deadLetterTargetArn": _DEAD_LETTERS_ARN, "maxReceiveCount": RECEIVES},
        ),
        "QueueMapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "EventSourceArn": {"Fn::GetAtt": [QUEUE, "Arn"]},
                "FunctionName": {"Ref": function.ALIAS},
                "BatchSize": BATCH,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                **_at_most(deployment.reserved_concurrency),
            },
        },
    }


def _work_queue_permissions(deployment: Deployment) -> list[dict[str, Any]]:
    # What Lambda does with a queue that it polls on behalf of the function.
    actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    return [allow("TakeMessages", actions, {"Fn::GetAtt": [QUEUE, "Arn"]})]


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


def _bucket(deployment: Deployment) -> dict[str, Any]:
    assert deployment.input_bucket is not None
    made = _bucket_rule if deployment.bucket_exists else _own_bucket
    return {
        "EventInvokeConfig": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "DependsOn": function.ALIAS,
            "Properties": {
                "FunctionName": {"Ref": function.FUNCTION},
                "Qualifier": function.ALIAS_NAME,
                "MaximumRetryAttempts": RETRIES,
                "DestinationConfig": {"OnFailure": {"Destination": _DEAD_LETTERS_ARN}},
            },
        },
        **made(deployment.input_bucket),
    }


def _bucket_permissions(deployment: Deployment) -> list[dict[str, Any]]:
    bucket = deployment.input_bucket
    assert bucket is not None
    # A bucket that exists may be versioned, and its events name versions.
    actions = ["s3:GetObject", *(["s3:GetObjectVersion"] if deployment.bucket_exists else [])]
    return [
        allow("ReadImages", actions, arn("s3", f"{bucket}/*")),
        # Without it, S3 answers "forbidden" for an image that was deleted, and the event is retried for hours.
        allow("TellWhatIsGone", ["s3:ListBucket"], arn("s3", bucket)),
        allow("KeepFailedEvents", ["sqs:SendMessage"], _DEAD_LETTERS_ARN),
    ]


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
    rate = f"rate({minutes} minute{'s' if minutes != 1 else ''})"
    return _rule(
        "WarmUpRule", "Keeps an instance warm", {"ScheduleExpression": rate}, {"Input": '{"warmup": true}'}
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


SOURCES = (
    EventSource(
        enabled=lambda deployment: deployment.queue,
        resources=_work_queue,
        purposes={QUEUE: "images to classify", "QueueMapping": "passes messages to the function"},
        permissions=_work_queue_permissions,
        outputs=lambda deployment: {"QueueUrl": ("Queue of images to classify", {"Ref": QUEUE})},
    ),
    EventSource(
        enabled=lambda deployment: deployment.input_bucket is not None,
        resources=_bucket,
        purposes={
            "EventInvokeConfig": "retries failed events, then keeps them",
            "BucketInvoke": "lets the bucket call the function",
            BUCKET: "new images in it are classified",
            "BucketRule": "calls the function for new images in the bucket",
            "BucketRuleInvoke": "lets the rule call the function",
        },
        permissions=_bucket_permissions,
        outputs=lambda deployment: {
            "InputBucket": (
                "Bucket whose new images are classified",
                deployment.input_bucket if deployment.bucket_exists else {"Ref": BUCKET},
            )
        },
    ),
    EventSource(
        enabled=lambda deployment: deployment.warm_up_minutes is not None,
        resources=_warm_up,
        purposes={
            "WarmUpRule": "calls the function regularly to keep one instance warm",
            "WarmUpRuleInvoke": "lets the rule call the function",
        },
        keeps_failures=False,
    ),
)
"""Every source, in the order of the template."""

PURPOSES = {
    DEAD_LETTERS: "events that kept failing, for two weeks",
    **{name: purpose for source in SOURCES for name, purpose in source.purposes.items()},
}
"""What each resource of an event source is for, by logical id."""
