"""An SNS topic that invokes the function directly, without a queue in between.

A message that fails makes the invocation fail: Lambda retries it twice, then sends it to the
function's on-failure destination. https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
"""

from __future__ import annotations

from typing import Any

import msgspec

from serverless.app.events import message_body
from serverless.app.events.invocation import Invocation, read


class _Notification(msgspec.Struct):
    message: str = msgspec.field(name="Message")
    message_id: message_body.MessageId = msgspec.field(name="MessageId")


class _Record(msgspec.Struct):
    sns: _Notification = msgspec.field(name="Sns")


class _Event(msgspec.Struct):
    records: list[_Record] = msgspec.field(name="Records")


def handle(event: dict[str, Any], invocation: Invocation) -> dict[str, int]:
    """Processes the message_body, of which SNS sends one at a time.

    Args:
        event: As SNS sends it.
        invocation: The invocation.

    Returns:
        The number of ``messages`` processed.

    Raises:
        UnprocessableError: It is not what SNS sends.
        SnapshipError: The first message that failed; the others are processed anyway.
    """
    found = read(event, _Event, "An SNS event must be as SNS sends it.").records
    failed: Exception | None = None
    for record in found:
        try:
            message_body.process(record.sns.message, record.sns.message_id, "sns", invocation)
        except Exception as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return {"messages": len(found)}
