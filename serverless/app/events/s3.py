"""Objects created in S3: events from a bucket's notification or from EventBridge."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

import msgspec

from edge_runtime.common.errors import SnapshipError
from edge_runtime.common.text import quoted
from serverless.app.core.http_problems import UnprocessableError
from serverless.app.events.invocation import Invocation, read
from serverless.app.events.s3_objects import SKIPPED, S3Object, process

CREATED = "ObjectCreated:"
"""Prefix of the notification events that a new object causes."""

EVENTBRIDGE = "Object "
"""Prefix of the detail-types of S3's own events."""

CREATED_OBJECT = "Object Created"

MISSING = 404

_RULE = "An S3 event must be as S3 sends it."


class _Bucket(msgspec.Struct):
    name: str


class _Object(msgspec.Struct):
    key: str
    size: int | None = None
    version_id: str | None = msgspec.field(name="versionId", default=None)


class _S3(msgspec.Struct):
    bucket: _Bucket
    object: _Object


class _Record(msgspec.Struct):
    event_name: str = msgspec.field(name="eventName")
    s3: _S3


class _Notification(msgspec.Struct):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html."""

    records: list[_Record] = msgspec.field(name="Records")


class _EventBridgeObject(msgspec.Struct):
    key: str
    size: int | None = None
    version_id: str | None = msgspec.field(name="version-id", default=None)


class _Detail(msgspec.Struct):
    bucket: _Bucket
    object: _EventBridgeObject


class _EventBridge(msgspec.Struct):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html."""

    detail: _Detail


def handle(event: dict[str, Any], invocation: Invocation, kind: str = "s3", part: str = "") -> dict[str, int]:
    """Classifies every object that an event names.

    Args:
        event: From a notification or from EventBridge.
        invocation: The invocation.
        kind: Kind of event, for the log.
        part: The message of a batch that contained it, for the log.

    Returns:
        The number of results ``written``.

    Raises:
        UnprocessableError: It is not what S3 sends.
        SnapshipError: The first error that a retry may resolve; the other objects are processed anyway.
    """
    try:
        created = created_objects(event)
    except SnapshipError:
        with invocation.logged(kind, part):
            raise
    if not created:
        with invocation.logged(kind, part) as record:
            record.status = SKIPPED
    written, failed = 0, None
    for item in created:
        try:
            written += _one(item, invocation, kind, part)
        except Exception as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return {"written": written}


def created_objects(event: dict[str, Any]) -> list[S3Object]:
    """The objects that an event says were created; none for other events and S3's test event.

    Args:
        event: From a notification or from EventBridge.

    Raises:
        UnprocessableError: It is not what S3 sends.
    """
    if event.get("Event") == "s3:TestEvent":
        return []
    if "detail-type" in event:
        return _bridged(event)
    records = read(event, _Notification, _RULE).records
    created = [one.s3 for one in records if one.event_name.startswith(CREATED)]
    # The key is form-encoded here, and not in EventBridge's events.
    return [
        S3Object(one.bucket.name, unquote_plus(one.object.key), one.object.version_id or "", one.object.size)
        for one in created
    ]


def _bridged(event: dict[str, Any]) -> list[S3Object]:
    kind = event["detail-type"]
    if kind != CREATED_OBJECT:
        if isinstance(kind, str) and kind.startswith(EVENTBRIDGE):
            return []
        # For example an API call seen by CloudTrail: it may or may not have created an object.
        raise UnprocessableError(
            f"{_RULE} Received: {quoted(kind)}. Let the rule match the detail-type {CREATED_OBJECT}."
        )
    detail = read(event, _EventBridge, _RULE).detail
    return [
        S3Object(detail.bucket.name, detail.object.key, detail.object.version_id or "", detail.object.size)
    ]


def _one(item: S3Object, invocation: Invocation, kind: str, part: str) -> bool:
    """Processes one object; returns whether a result was written."""
    with invocation.logged(kind, part) as record:
        from serverless.aws import MissingResourceError

        try:
            process(item, invocation, record)
        except MissingResourceError as error:
            if not is_object_gone(error):
                raise
            # Deleted meanwhile: trying again would not help.
            record.status, record.error = MISSING, type(error).__name__
            return False
        return record.status != SKIPPED


def is_object_gone(error: BaseException) -> bool:
    """Whether the object or version does not exist, as opposed to the bucket."""
    from serverless.aws import code_of

    return error.__cause__ is not None and code_of(error.__cause__) in ("NoSuchKey", "NoSuchVersion")
