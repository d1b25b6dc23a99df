"""Removes a deployment: everything that snapship created for it, and nothing else.

::

    stack         function with all its versions, role, log group, URL, alarms, queues, bucket
    buckets       input buckets of earlier deployments, which another one has replaced
    code          the packages in the code buckets: the account's, the stack's, and a named one
    parameter     the hashes of the API keys, where deploy created them
    code bucket   if no other deployment has anything in it

Objects in the input bucket belong to the user, so they are deleted on request only. That is checked
first, so that a bucket with objects does not make the removal fail half-way.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.common.errors import UsageError
from serverless.aws import Connection, CredentialsError, Ignoring, MissingResourceError, answered
from serverless.deploy.config.deployment_config import NAME_TAG, Deployment
from serverless.deploy.manage.status import check_owner, code_bucket_of
from serverless.deploy.stack import keys_parameter, lock, stack, versions, waiting
from serverless.deploy.stack.bucket import (
    CodeBucket,
    code_bucket,
    code_prefix,
    delete,
    exists,
    objects,
    remove_if_empty,
)
from serverless.deploy.stack.stack import Progress, Stack


@dataclass(frozen=True)
class Removal:
    """What will be removed.

    Attributes:
        name: The deployment's name.
        stack: Its stack; None if it no longer exists.
        lines: Everything that will be removed, for people to read.
        code: Buckets that may hold its packages.
        left: Its input buckets that are no longer in the stack.
        images: Its input buckets that are not empty, with the number of objects.
        parameter: The parameter with the keys, if it exists.
    """

    name: str
    stack: Stack | None
    lines: tuple[str, ...]
    code: tuple[CodeBucket, ...]
    left: tuple[str, ...]
    images: tuple[tuple[str, int], ...]
    parameter: str | None


def find(name: str, aws: Connection, bucket: str | None = None) -> Removal:
    """Finds everything that belongs to a deployment; removes nothing.

    Args:
        name: The deployment's name.
        aws: The account and region.
        bucket: The user's own code bucket, for when there is no stack any more that names it.

    Raises:
        UsageError: The name is invalid.
        MissingResourceError: Nothing was found.
        DeployError: The stack of that name was not made by snapship.
    """
    stack_name = Deployment(name).stack
    found = stack.describe(aws, stack_name)
    lines, held_ones = list[str](), list[str]()
    code = {place.name: place for place in (code_bucket(aws, bucket), code_bucket(aws))}
    if found is not None:
        check_owner(found, name)
        if not found.empty:
            place = code_bucket_of(aws, stack.template_of(aws, stack_name))
            code.setdefault(place.name, place)
        held = stack.resources(aws, stack_name)
        lines += [f"{entry.type:<28} {entry.physical_id}" for entry in held.values()]
        own = [entry.physical_id for entry in held.values() if entry.type == "AWS::Lambda::Version"]
        lines += [
            f"{'AWS::Lambda::Version':<28} {found.name}:{version.number} (kept for rollback)"
            for version in versions.published(aws, found.name)
            if not any(id.endswith(f":{version.number}") for id in own)
        ]
        held_ones += [entry.physical_id for entry in held.values() if entry.type == "AWS::S3::Bucket"]
    left, note = _left(aws, name, held_ones)
    lines += [f"{'AWS::S3::Bucket':<28} {one} (of an earlier deployment)" for one in left]
    images = [
        (one, count) for one in (*held_ones, *left) if (count := len(objects(code_bucket(aws, one), "")))
    ]
    for place in code.values():
        packages = objects(place, code_prefix(name)) if exists(place) else []
        lines += [
            f"{'S3 object':<28} s3://{place.name}/{key}"
            for key in sorted({entry["Key"] for entry in packages})
        ]
    parameter = keys_parameter.parameter_of(name)
    has_keys = keys_parameter.exists(aws, parameter)
    if has_keys:
        lines.append(f"{'SSM parameter':<28} {parameter}")
    if not lines and found is None:
        raise MissingResourceError(
            f"The deployment must exist. Received: {name}, of which nothing was found in {aws.region} of account "
            f"{aws.account}. Pass --region, --bucket if its packages are in your own, or list all deployments: "
            "snapship status"
        )
    return Removal(
        name=name,
        stack=found,
        lines=(*lines, *note),
        code=tuple(code.values()),
        left=tuple(left),
        images=tuple(images),
        parameter=parameter if has_keys else None,
    )


def _left(aws: Connection, name: str, in_stack: list[str]) -> tuple[list[str], list[str]]:
    """Input buckets that left the stack, and a note if the account does not allow searching for them."""
    try:
        return [bucket for bucket in _tagged(aws, name) if bucket not in in_stack], []
    except CredentialsError:
        return [], [
            f"Not searched, as the permission tag:GetResources is missing: earlier input buckets, tagged {NAME_TAG}"
        ]


def _tagged(aws: Connection, name: str) -> list[str]:
    """Every bucket that the deployment's stacks created, including those that left the stack, by name."""
    wanted = [{"Key": NAME_TAG, "Values": [name]}]
    with answered("Searching for buckets with the deployment's tag"):
        pages = aws.client("resourcegroupstaggingapi").get_paginator("get_resources")
        found = [
            entry["ResourceARN"].rpartition(":")[2]
            for page in pages.paginate(TagFilters=wanted, ResourceTypeFilters=["s3"])
            for entry in page["ResourceTagMappingList"]
            # Only a bucket's ARN has no account and region.
            if ":::" in entry["ResourceARN"]
        ]
    # The tag index still lists a bucket for a while after it was deleted.
    return [one for one in sorted(found) if exists(code_bucket(aws, one))]


def destroy(removal: Removal, aws: Connection, progress: Progress, *, with_images: bool = False) -> None:
    """Removes a deployment. Safe to interrupt and to repeat.

    Args:
        removal: What to remove, from :func:`find`.
        aws: The account and region.
        progress: Progress callback.
        with_images: Whether to delete the objects in the input bucket, too.

    Raises:
        UsageError: The input bucket holds objects that may not be deleted.
        LockedError: Somebody else is deploying this name.
        DeployError: AWS could not delete something.
    """
    if removal.images and not with_images:
        bucket, count = removal.images[0]
        raise UsageError(
            f"A bucket must be empty to be deleted. Received: {bucket} holds {count:,} objects (with old versions). "
            "Save what you need, then pass --delete-images."
        )
    locks = code_bucket(aws)
    if exists(locks):
        with lock.held(locks, removal.name, "snapship destroy"):
            _remove(removal, aws, progress)
        _forget_lock(locks, removal.name)
        if remove_if_empty(locks):
            progress(f"Deleted the empty bucket {locks.name}")
    else:
        _remove(removal, aws, progress)


def _remove(removal: Removal, aws: Connection, progress: Progress) -> None:
    for bucket, count in removal.images:
        progress(f"Deleting {count:,} objects of {bucket}")
        place = code_bucket(aws, bucket)
        delete(place, objects(place, ""))
    found = removal.stack
    if found is not None:
        waiting.settle_previous(aws, found, progress)
        progress(f"Deleting {found.name}")
        waiting.remove(aws, found, progress)
    for bucket in removal.left:
        progress(f"Deleting the bucket {bucket}")
        with answered(f"Deleting the bucket {bucket}"):
            aws.client("s3").delete_bucket(**code_bucket(aws, bucket).owner)
    for place in removal.code:
        packages = objects(place, code_prefix(removal.name)) if exists(place) else []
        if packages:
            progress(f"Deleting {len(packages)} packages of {place.name}")
            delete(place, packages)
    if removal.parameter is not None:
        progress(f"Deleting {removal.parameter}")
        keys_parameter.remove(aws, removal.parameter)


def _forget_lock(locks: CodeBucket, name: str) -> None:
    """Deletes old versions of the lock object, unless somebody has taken the lock since."""
    key = lock.lock_key(name)
    with answered("Checking the lock"), Ignoring("404", "NoSuchKey"):
        locks.aws.client("s3").head_object(**locks.owner, Key=key)
        return
    delete(locks, objects(locks, key))
