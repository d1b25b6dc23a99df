"""A batch of messages from SQS; those that fail are told, so that SQS delivers only these again.

A message's body is an S3 event, or S3 through EventBridge; ``{"bucket": ..., "key": ...}`` with
``version_id``, ``top_k`` and ``score_threshold`` if wanted; or ``{"image": BASE64}`` as in a direct
invocation, whose answer is written to SNAPSHIP_RESULTS as ``messages/MESSAGE_ID.json``. Without
SNAPSHIP_RESULTS it is in the log alone: label and score, not the other classes.

The event source must have ``ReportBatchItemFailures``. A message that can never succeed fails too:
the queue's redrive policy moves it to the dead-letter queue, where somebody sees it.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from edge_runtime.errors import SnapshipError
from serverless.app.errors import UnprocessableError
from serverless.app.events import direct, objects, s3
from serverless.app.events.invocation import Invocation
from serverless.app.problems import problem_of
from serverless.app.schema import Failed, Score, TopK


class _Message(msgspec.Struct):
    body: str
    message_id: str = msgspec.field(name="messageId")
    arn: str = msgspec.field(name="eventSourceARN", default="")


class _Batch(msgspec.Struct):
    records: list[_Message] = msgspec.field(name="Records")


class ObjectOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message that names an object; the key is not encoded."""

    bucket: str
    key: Annotated[str, Meta(min_length=1, max_length=1024)]
    version_id: str = ""
    top_k: TopK | None = None
    score_threshold: Score | None = None


def handle(event: dict[str, Any], invocation: Invocation) -> dict[str, Any]:
    """Works through a batch.

    Args:
        event: As SQS sends it.
        invocation: The call.

    Returns:
        ``batchItemFailures``: the messages to deliver again.

    Raises:
        UnprocessableError: It is not what SQS sends.
    """
    try:
        messages = msgspec.convert(event, _Batch).records
    except msgspec.ValidationError as error:
        raise UnprocessableError(
            f"An SQS event must be as SQS sends it. Received: {error}. Send it unchanged."
        ) from error
    failed: list[str] = []
    for index, message in enumerate(messages):
        try:
            _work(message, invocation)
        except Exception:
            # Its line in the log says why.
            failed.append(message.message_id)
            if message.arn.endswith(".fifo"):
                # Later messages of the group must not overtake it.
                failed += [later.message_id for later in messages[index + 1 :]]
                break
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}


def _work(message: _Message, invocation: Invocation) -> None:
    content = _content(message, invocation)
    if "Records" in content or "detail-type" in content or content.get("Event") == "s3:TestEvent":
        s3.handle(content, invocation, "sqs", message.message_id)
        return
    with invocation.noted("sqs", message.message_id) as record:
        if "bucket" in content or "key" in content:
            objects.process(_ordered(content), invocation, record)
            return
        result: msgspec.Struct
        bucket, prefix = objects.split(invocation.settings.results)
        try:
            result = direct.answered(message.body.encode(), invocation, record)
        except SnapshipError as error:
            # With no place to tell it, the dead-letter queue is where it is seen.
            if error.http_status >= 500 or not bucket:
                raise
            record.status, record.error = error.http_status, type(error).__name__
            result = Failed(problem_of(error, record.request_id))
        if bucket:
            objects.write(bucket, f"{prefix}messages/{message.message_id}.json", result)


def _content(message: _Message, invocation: Invocation) -> dict[str, Any]:
    try:
        content = msgspec.json.decode(message.body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        content, reason = None, f"no JSON ({str(error).partition(chr(10))[0]})"
    else:
        reason = f"JSON that is a {type(content).__name__}"
    if isinstance(content, dict):
        return content
    with invocation.noted("sqs", message.message_id):
        raise UnprocessableError(
            'A message must be an S3 event, {"bucket": ..., "key": ...} or {"image": BASE64}. '
            f"Received: {reason}. Send one of these."
        )


def _ordered(content: dict[str, Any]) -> objects.Arrival:
    try:
        order = msgspec.convert(content, ObjectOrder)
    except msgspec.ValidationError as error:
        raise UnprocessableError(
            'A message that names an object must be {"bucket": ..., "key": ...} with version_id, top_k and '
            f"score_threshold if wanted. Received: {error}. Correct that field."
        ) from error
    return objects.Arrival(
        order.bucket, order.key, order.version_id, None, order.top_k, order.score_threshold
    )
