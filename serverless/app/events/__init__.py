"""What reaches the function other than by HTTP: S3, SQS, EventBridge and direct invocations.

Imported at the first event of this kind, and of its modules only those that the event needs:

::

    dispatch    which kind an event is
    invocation  what each of them needs; its line in the log
    direct      {"image": ...}: the answer of POST /classify; {"selftest": true}
    warmup      {"warmup": true}, schedules
    s3          an object was created
    sqs         a batch of messages: one of the above in each
    objects     reads an object, writes its result
"""

from serverless.app.events.dispatch import handle

__all__ = ["handle"]
