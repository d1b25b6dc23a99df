"""A batch of messages from SQS; failed ones are reported, so that SQS redelivers only these.

The content of a message is handled by :mod:`serverless.app.events.message_body`.

The event source must have ``ReportBatchItemFailures``. A message that can never succeed fails too:
the queue's redrive policy moves it to the dead-letter queue, where it is noticed.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from typing import Any

import msgspec

from serverless.app.events import message_body
from serverless.app.events.invocation import Invocation, read


class _Message(msgspec.Struct):
    body: str
    message_id: message_body.MessageId = msgspec.field(name="messageId")
    arn: str = msgspec.field(name="eventSourceARN", default="")


class _Batch(msgspec.Struct):
    records: list[_Message] = msgspec.field(name="Records")


def handle(event: dict[str, Any], invocation: Invocation) -> dict[str, Any]:
    """Processes a batch.

    Args:
        event: As SQS sends it.
        invocation: The invocation.

    Returns:
        ``batchItemFailures``: the messages to redeliver.

    Raises:
        UnprocessableError: It is not what SQS sends.
    """
    batch = read(event, _Batch, "An SQS event must be as SQS sends it.").records
    failed: list[str] = []
    for index, message in enumerate(batch):
        try:
            message_body.process(message.body, message.message_id, "sqs", invocation)
        except Exception:
            # Its log line says why.
            failed.append(message.message_id)
            if message.arn.endswith(".fifo"):
                # Later messages of the group must not overtake it.
                failed += [later.message_id for later in batch[index + 1 :]]
                break
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}
