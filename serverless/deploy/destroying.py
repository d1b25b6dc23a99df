"""Takes a deployment away: everything that snapship made for it, and nothing else.

::

    stack         function with all its versions, role, log group, address, alarms, queues, bucket
    buckets       input buckets of earlier deployments, which another took the place of
    code          the packages in the code buckets: that of the account, of the stack, and a named one
    parameter     the hashes of the API keys, at the place where deploy made them
    code bucket   if no other deployment has anything in it

Objects in the input bucket are the user's: they are deleted on request only, and a bucket that
holds some is no reason to fail half-way, so it is looked at first.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.errors import UsageError
from serverless.aws import Connection, CredentialsError, MissingResourceError, answered, code_of
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
from serverless.deploy.config import NAME_TAG, Deployment
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
        code: Buckets that may hold its packages.
        left: Its input buckets that are no longer in the stack.
        images: Its input buckets with objects in them, and how many.
        parameter: The parameter with the keys, if it is there.
    """

    name: str
    stack: Stack | None
    lines: tuple[str, ...]
    code: tuple[CodeBucket, ...]
    left: tuple[str, ...]
    images: tuple[tuple[str, int], ...]
    parameter: str | None


def look(name: str, aws: Connection, bucket: str | None = None) -> Removal:
    """Finds what belongs to a deployment; removes nothing.

    Args:
        name: The deployment's.
        aws: Where.
        bucket: The user's own that packages went to, where no stack says so any more.

    Raises:
        UsageError: No deployment can have such a name.
        MissingResourceError: There is nothing.
        DeployError: The stack of that name is not snapship's.
    """
    stack_name = Deployment(name).stack
    found = stack.describe(aws, stack_name)
    lines, held_ones = list[str](), list[str]()
    code = {place.name: place for place in (code_bucket(aws, bucket), code_bucket(aws))}
    if found is not None:
        owned(found, name)
        if not found.empty:
            place = bucket_of(aws, stack.template_of(aws, stack_name))
            code.setdefault(place.name, place)
        held = stack.resources(aws, stack_name)
        lines += [f"{entry.type:<28} {entry.physical_id}" for entry in held.values()]
        own = [entry.physical_id for entry in held.values() if entry.type == "AWS::Lambda::Version"]
        lines += [
            f"{'AWS::Lambda::Version':<28} {found.name}:{version.number} (kept to go back to)"
            for version in versions.published(aws, found.name)
            if not any(id.endswith(f":{version.number}") for id in own)
        ]
        held_ones += [entry.physical_id for entry in held.values() if entry.type == "AWS::S3::Bucket"]
    left, note = _left(aws, name, held_ones)
    lines += [f"{'AWS::S3::Bucket':<28} {one} (of an earlier deployment)" for one in left]
    images = [(one, count) for one in (*held_ones, *left) if (count := len(objects(_plain(aws, one), "")))]
    for place in code.values():
        packages = objects(place, f"code/{name}/") if exists(place) else []
        lines += [
            f"{'S3 object':<28} s3://{place.name}/{key}"
            for key in sorted({entry["Key"] for entry in packages})
        ]
    parameter: str | None = keys_parameter.parameter_of(name)
    if parameter is not None and keys_parameter.exists(aws, parameter):
        lines.append(f"{'SSM parameter':<28} {parameter}")
    else:
        parameter = None
    if not lines and found is None:
        raise MissingResourceError(
            f"A deployment must be there. Received: {name}, of which there is nothing in {aws.region} of account "
            f"{aws.account}. Pass --region, --bucket if its packages went to your own, or look at all with: "
            "snapship status"
        )
    return Removal(name, found, (*lines, *note), tuple(code.values()), tuple(left), tuple(images), parameter)


def _left(aws: Connection, name: str, in_stack: list[str]) -> tuple[list[str], list[str]]:
    """Input buckets that left the stack, and a line where the account does not allow to look for them."""
    try:
        return [bucket for bucket in _tagged(aws, name) if bucket not in in_stack], []
    except CredentialsError:
        return [], [
            f"Not looked for, as the permission tag:GetResources lacks: earlier input buckets, tagged {NAME_TAG}"
        ]


def _tagged(aws: Connection, name: str) -> list[str]:
    """Every bucket that a stack of a deployment made, also one that has left the stack, by name."""
    wanted = [{"Key": NAME_TAG, "Values": [name]}]
    with answered("Looking for buckets with the deployment's tag"):
        pages = aws.client("resourcegroupstaggingapi").get_paginator("get_resources")
        found = [
            entry["ResourceARN"].rpartition(":")[2]
            for page in pages.paginate(TagFilters=wanted, ResourceTypeFilters=["s3"])
            for entry in page["ResourceTagMappingList"]
            # Only a bucket is named without account and region.
            if ":::" in entry["ResourceARN"]
        ]
    # The index of tags knows a bucket for a while after it is gone.
    return [one for one in sorted(found) if exists(_plain(aws, one))]


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
    locks = lock.bucket_of_locks(aws)
    if exists(locks):
        with lock.held(locks, removal.name, "snapship destroy"):
            _remove(removal, aws, say)
        _forget_lock(locks, removal.name)
        if remove_if_empty(locks):
            say(f"Deleted the bucket {locks.name}, which is empty")
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
    for bucket in removal.left:
        say(f"Deleting the bucket {bucket}")
        with answered(f"Deleting the bucket {bucket}"):
            aws.client("s3").delete_bucket(**_plain(aws, bucket).owner)
    code, _ = prefixes(removal.name)
    for place in removal.code:
        packages = objects(place, code) if exists(place) else []
        if packages:
            say(f"Deleting {len(packages)} packages of {place.name}")
            delete(place, packages)
    if removal.parameter is not None:
        say(f"Deleting {removal.parameter}")
        keys_parameter.remove(aws, removal.parameter)


def _forget_lock(locks: CodeBucket, name: str) -> None:
    """Old versions of the lock's object; not if somebody has taken it since."""
    _, key = prefixes(name)
    s3 = locks.aws.client("s3")
    with answered("Looking at the lock"):
        try:
            s3.head_object(**locks.owner, Key=key)
        except s3.exceptions.ClientError as error:
            if code_of(error) not in ("404", "NoSuchKey"):
                raise
            delete(locks, objects(locks, key))


def _plain(aws: Connection, bucket: str) -> CodeBucket:
    return CodeBucket(aws, bucket, ours=False)
