"""Takes a deployment away: everything that snapship made for it, and nothing else.

::

    stack         function with all its versions, role, log group, address, alarms, queues, bucket
    code          the packages in the code bucket
    parameter     the hashes of the API keys, at the place where deploy made them
    code bucket   if no other deployment has anything in it

Objects in the input bucket are the user's: they are deleted on request only, and a bucket that
holds some is no reason to fail half-way, so it is looked at first.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.errors import UsageError
from serverless.aws import Connection, MissingResourceError, answered, code_of
from serverless.deploy import keys_parameter, lock, stack, versions, waiting
from serverless.deploy.bucket import (
    CodeBucket,
    code_bucket,
    delete,
    exists,
    objects,
    prefixes,
    remove_if_empty,
)
from serverless.deploy.config import Deployment
from serverless.deploy.errors import DeployError
from serverless.deploy.locating import bucket_of, owned
from serverless.deploy.stack import Say, Stack


@dataclass(frozen=True)
class Removal:
    """What will be removed.

    Attributes:
        name: The deployment's.
        stack: Its stack; None where only the rest of one is left.
        lines: What for people to read.
        code: The bucket with its packages.
        images: Buckets of the stack with objects in them, and how many.
        parameter: The parameter with the keys, if it is there.
    """

    name: str
    stack: Stack | None
    lines: tuple[str, ...]
    code: CodeBucket
    images: tuple[tuple[str, int], ...]
    parameter: str | None


def look(name: str, aws: Connection) -> Removal:
    """Finds what belongs to a deployment; removes nothing.

    Args:
        name: The deployment's.
        aws: Where.

    Raises:
        UsageError: No deployment can have such a name.
        MissingResourceError: There is nothing.
        DeployError: The stack of that name is not snapship's.
    """
    stack_name = Deployment(name).stack
    found = stack.describe(aws, stack_name)
    code, lines, images = code_bucket(aws), list[str](), list[tuple[str, int]]()
    if found is not None:
        owned(found, name)
        if not found.empty:
            code = bucket_of(aws, stack.template_of(aws, stack_name))
        held = stack.resources(aws, stack_name)
        lines += [f"{entry.type:<28} {entry.physical_id}" for entry in held.values()]
        own = [entry.physical_id for entry in held.values() if entry.type == "AWS::Lambda::Version"]
        lines += [
            f"{'AWS::Lambda::Version':<28} {found.name}:{version.number} (kept to go back to)"
            for version in versions.published(aws, found.name)
            if not any(id.endswith(f":{version.number}") for id in own)
        ]
        buckets = [entry.physical_id for entry in held.values() if entry.type == "AWS::S3::Bucket"]
        images += [(bucket, count) for bucket in buckets if (count := len(objects(_plain(aws, bucket), "")))]
    packages = objects(code, f"code/{name}/") if exists(code) else []
    lines += [
        f"{'S3 object':<28} s3://{code.name}/{key}" for key in sorted({entry["Key"] for entry in packages})
    ]
    parameter: str | None = keys_parameter.parameter_of(name)
    if parameter is not None and keys_parameter.exists(aws, parameter):
        lines.append(f"{'SSM parameter':<28} {parameter}")
    else:
        parameter = None
    if not lines and found is None:
        raise MissingResourceError(
            f"A deployment must be there. Received: {name}, of which there is nothing in {aws.region} of account "
            f"{aws.account}. Pass --region, or look at all with: snapship status"
        )
    return Removal(name, found, tuple(lines), code, tuple(images), parameter)


def destroy(removal: Removal, aws: Connection, say: Say, *, with_images: bool = False) -> None:
    """Removes it. Safe to interrupt and to repeat.

    Args:
        removal: Of :func:`look`.
        aws: Where.
        say: Told of every step.
        with_images: Whether to delete what lies in the input bucket, too.

    Raises:
        UsageError: The input bucket holds objects, and they were not to be deleted.
        BusyError: Somebody is deploying the name.
        DeployError: AWS could not delete something.
    """
    if removal.images and not with_images:
        bucket, count = removal.images[0]
        raise UsageError(
            f"A bucket must be empty to be deleted. Received: {bucket} holds {count:,} objects (old versions counted). "
            "Save what you need, then pass --delete-images."
        )
    if exists(removal.code):
        with lock.held(removal.code, removal.name, "snapship destroy"):
            _remove(removal, aws, say)
        _forget_lock(removal)
        if remove_if_empty(removal.code):
            say(f"Deleted the bucket {removal.code.name}, which is empty")
    else:
        _remove(removal, aws, say)


def _remove(removal: Removal, aws: Connection, say: Say) -> None:
    for bucket, count in removal.images:
        say(f"Deleting {count:,} objects of {bucket}")
        place = _plain(aws, bucket)
        delete(place, objects(place, ""))
    found = removal.stack
    if found is not None:
        if found.busy:
            say(f"Waiting for AWS, which is still at {found.status}")
            try:
                waiting.settle(aws, found.name, say)
            except DeployError as error:
                say(f"That came to nothing: {error}")
        say(f"Deleting {found.name}")
        waiting.remove(aws, found, say)
    code, _ = prefixes(removal.name)
    if exists(removal.code):
        packages = objects(removal.code, code)
        say(f"Deleting {len(packages)} packages")
        delete(removal.code, packages)
    if removal.parameter is not None:
        say(f"Deleting {removal.parameter}")
        keys_parameter.remove(aws, removal.parameter)


def _forget_lock(removal: Removal) -> None:
    """Old versions of the lock's object; not if somebody has taken it since."""
    _, key = prefixes(removal.name)
    s3 = removal.code.aws.client("s3")
    with answered("Looking at the lock"):
        try:
            s3.head_object(**removal.code.owner, Key=key)
        except s3.exceptions.ClientError as error:
            if code_of(error) not in ("404", "NoSuchKey"):
                raise
            delete(removal.code, objects(removal.code, key))


def _plain(aws: Connection, bucket: str) -> CodeBucket:
    return CodeBucket(aws, bucket, ours=False)
