"""What reaches the function other than by HTTP: S3, SQS, SNS, EventBridge and direct invocations.

Imported at the first event of this kind, and of its modules only those that the event needs:

::

    dispatch    which kind an event is
    foreign     events of other services, refused by name
    reading     from JSON to structs
    invocation  what each of them needs; its line in the log
    direct      {"image": ...}: the answer of POST /classify; {"selftest": true}
    warmup      {"warmup": true}, schedules
    s3          an object was created
    sqs         a batch of messages
    sns         messages without a queue
    messages    what is in one: an image, an object's name or an S3 event
    objects     reads an object, writes its result
"""

from serverless.app.events.dispatch import handle

__all__ = ["handle"]
