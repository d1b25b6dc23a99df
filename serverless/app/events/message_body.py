"""Processes a message from SQS or SNS.

A message is an S3 event, or S3 through EventBridge; ``{"bucket": ..., "key": ...}`` with
optional ``version_id``, ``top_k`` and ``score_threshold``; or ``{"image": BASE64}`` as in a direct
invocation, whose answer is written to SNAPSHIP_RESULTS as ``messages/MESSAGE_ID.json``. Without
SNAPSHIP_RESULTS it is only in the log: label and score, not the other classes.

If SNS delivers to SQS, the message is wrapped in SNS's envelope unless the subscription has raw
message delivery; both are read.

An error in ``{"image": ...}`` is reported in the result. Anything else always fails, so that it
ends up in the dead-letter queue: nobody would look for its result.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from edge_runtime.common.errors import SnapshipError
from edge_runtime.common.text import shortened
from serverless.app.core.api_schema import Failed, Score, TopK
from serverless.app.core.http_problems import UnprocessableError, problem_of
from serverless.app.events import direct_invocation, s3, s3_objects
from serverless.app.events.dispatch import kind_of
from serverless.app.events.invocation import Invocation, read

_RULE = 'A message must be an S3 event, {"bucket": ..., "key": ...} or {"image": BASE64}.'

MessageId = Annotated[str, Meta(max_length=200)]
"""SQS and SNS use 36 characters. It is repeated in the answer, the log and the result's name."""


class ObjectRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message that names an object; the key is not URL-encoded."""

    bucket: str
    key: Annotated[str, Meta(min_length=1, max_length=1024)]
    version_id: Annotated[str, Meta(max_length=1024)] = ""
    top_k: TopK | None = None
    score_threshold: Score | None = None


def process(body: str, id: str, kind: str, invocation: Invocation) -> None:
    """Processes a message; its log line says what happened.

    Args:
        body: The message.
        id: The message's id, for the log and the result's name.
        kind: The service that delivered it.
        invocation: The invocation.

    Raises:
        SnapshipError: It is not understood, or an AWS call failed.
    """
    try:
        content, inner = _opened(body)
        kind_of_content = _kind_of_content(content)
    except SnapshipError:
        with invocation.logged(kind, id):
            raise
    if kind_of_content == "s3":
        s3.handle(content, invocation, kind, id)
        return
    with invocation.logged(kind, id) as record:
        if kind_of_content == "object":
            s3_objects.process(_object_in(content), invocation, record)
            return
        result: msgspec.Struct
        bucket, prefix = s3_objects.split(invocation.config.results)
        try:
            result = direct_invocation.answered(inner, invocation, record)
        except SnapshipError as error:
            # Without a place for results, only the dead-letter queue shows it.
            if error.http_status >= 500 or not bucket:
                raise
            record.status, record.error = error.http_status, type(error).__name__
            result = Failed(problem_of(error, record.request_id))
        if bucket:
            s3_objects.write(bucket, f"{prefix}messages/{id}.json", result)


def _opened(body: str) -> tuple[dict[str, Any], bytes]:
    """The message and its text, taken out of SNS's envelope if it has one."""
    content = _read(body)
    # https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    if isinstance(content.get("Type"), str) and "TopicArn" in content:
        if content["Type"] != "Notification":
            raise UnprocessableError(
                f"{_RULE} Received: SNS's {shortened(content['Type'])} of {shortened(content['TopicArn'])}. "
                "Open its SubscribeURL if you trust the topic; messages come after that."
            )
        message = content.get("Message")
        body = message if isinstance(message, str) else ""
        content = _read(body)
    return content, body.encode("utf-8", "surrogatepass")


def _read(body: str) -> dict[str, Any]:
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _not_understood(f"invalid JSON ({shortened(error)})") from error
    if not isinstance(content, dict):
        raise _not_understood(f"JSON that is a {type(content).__name__}")
    return content


def _kind_of_content(content: dict[str, Any]) -> str:
    """``s3``, ``object`` or ``image``.

    Raises:
        UsageError: None of these.
    """
    found = kind_of(content)
    if found == "direct":
        if "bucket" in content or "key" in content:
            return "object"
        if "image" in content or "images" in content:
            return "image"
    elif found == "s3":
        return "s3"
    named = ", ".join(sorted(content)) if found == "direct" else f"a {found} event"
    raise _not_understood(f"JSON with {shortened(named) or 'nothing in it'}")


def _not_understood(received: str) -> UnprocessableError:
    return UnprocessableError(f"{_RULE} Received: {received}. Send one of these.")


def _object_in(content: dict[str, Any]) -> s3_objects.S3Object:
    rule = (
        'A message that names an object must be {"bucket": ..., "key": ...}, optionally with '
        "version_id, top_k and score_threshold."
    )
    return s3_objects.S3Object(
        **msgspec.structs.asdict(read(content, ObjectRequest, rule, "Correct that field."))
    )
