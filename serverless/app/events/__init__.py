"""Events other than HTTP: S3, SQS, SNS, EventBridge and direct invocations.

Imported at the first such event; of its modules only those that the event needs:

::

    kinds              the table of event kinds; a new one is a row there and a module with its handler
    dispatch           finds the kind of an event and calls its handler; refuses other services by name
    invocation         what each handler needs: service, configuration, log, reading JSON
    direct_invocation  {"image": ...}: the answer of POST /classify
    warmup             {"warmup": true} and schedules; {"selftest": true}
    s3                 an object was created
    sqs                a batch of messages
    sns                messages without a queue
    message_body       the content of a message: an image, an object's name or an S3 event
    s3_objects         reads an object, writes its result
"""

from serverless.app.events.dispatch import handle

__all__ = ["handle"]
