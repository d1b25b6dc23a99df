"""The bucket that code is uploaded to: one for each account and region, shared by all names.

::

    code/NAME/SHA256.zip   packages; the key carries the hash, so nothing is uploaded twice
    locks/NAME.json        who is deploying, see serverless/deploy/lock.py

It is private, encrypted, versioned, and asked for over TLS only. Every call says whose
bucket is meant: a stranger's bucket of that name gets no code and gives none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serverless.aws import Connection, CredentialsError, answered, code_of
from serverless.deploy.errors import DeployError, MissingResourceError

OLD_LOCK_DAYS = 1
"""How long overwritten versions of a lock are kept; renewing makes one a minute."""

_BATCH = 1000
"""Objects in one request to delete (S3: DeleteObjects)."""

_ALREADY = {"BucketAlreadyOwnedByYou"}


@dataclass(frozen=True)
class CodeBucket:
    """A bucket for code.

    Attributes:
        aws: Where.
        name: Its name.
        ours: Whether it is the one that snapship makes, and not one that the user named.
    """

    aws: Connection
    name: str
    ours: bool

    @property
    def owner(self) -> dict[str, str]:
        """Goes with every call, so that it fails on another account's bucket."""
        return {"Bucket": self.name, "ExpectedBucketOwner": self.aws.account}


def code_bucket(aws: Connection, named: str | None = None) -> CodeBucket:
    """Which bucket code goes to; does not make it.

    Args:
        aws: Where.
        named: The user's own; None for ``snapship-code-ACCOUNT-REGION``.
    """
    if named is not None:
        return CodeBucket(aws, named, ours=False)
    return CodeBucket(aws, f"snapship-code-{aws.account}-{aws.region}", ours=True)


def code_key(name: str, sha256: str) -> str:
    """Key of a package.

    Args:
        name: The deployment's.
        sha256: Of the zip, in hex.
    """
    return f"code/{name}/{sha256}.zip"


def exists(bucket: CodeBucket) -> bool:
    """Whether the bucket is there, and may be used.

    Raises:
        CredentialsError: It is another account's, or may not be used.
    """
    s3 = bucket.aws.client("s3")
    with answered(f"Using the bucket {bucket.name}"):
        try:
            s3.head_bucket(**bucket.owner)
        except s3.exceptions.ClientError as error:
            if code_of(error) in ("404", "NoSuchBucket"):
                return False
            if code_of(error) == "403":
                # AWS says no more to a HEAD request.
                raise CredentialsError(
                    f"The bucket for code must be this account's and listable. Received: {bucket.name}, which is "
                    "another account's, or s3:ListBucket lacks. Ask for the permission, or pass --bucket."
                ) from error
            raise
    return True


def ensure(bucket: CodeBucket) -> bool:
    """Makes the bucket if it is not there, and sets how it is to be. Safe to repeat.

    Returns:
        Whether it was made.

    Raises:
        MissingResourceError: A bucket that the user named is not there.
        DeployError: The name belongs to another account.
    """
    s3, region = bucket.aws.client("s3"), bucket.aws.region
    if exists(bucket):
        if bucket.ours and not _is_protected(bucket, s3):
            # Whoever made it was cut off.
            with answered(f"Protecting the bucket {bucket.name}"):
                _protect(bucket, s3)
        return False
    if not bucket.ours:
        raise MissingResourceError(
            f"--bucket must name a bucket of this account. Received: {bucket.name}, which is not there. "
            "Make it, or leave --bucket out."
        )
    # The oldest region is the one that must not be named.
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with answered(f"Making the bucket {bucket.name}"):
        try:
            s3.create_bucket(Bucket=bucket.name, **place)
        except s3.exceptions.ClientError as error:
            if code_of(error) == "BucketAlreadyExists":
                raise DeployError(
                    f"The bucket for code must be this account's. Received: {bucket.name} belongs to another. "
                    "Pass --bucket with one of your own."
                ) from error
            if code_of(error) not in _ALREADY:
                raise
        _protect(bucket, s3)
    return True


def upload(
    bucket: CodeBucket, key: str, path: Path, watch: Callable[[int], None] = lambda bytes: None
) -> bool:
    """Uploads a package unless it is there.

    Args:
        bucket: Where to.
        key: Of :func:`code_key`.
        path: The zip.
        watch: Called with the number of bytes that were sent since the last call.

    Returns:
        Whether it was uploaded.
    """
    s3 = bucket.aws.client("s3")
    with answered(f"Uploading {path.name}"):
        try:
            found = s3.head_object(**bucket.owner, Key=key)
            # A file of another length is what an upload by other means left half-way.
            if found["ContentLength"] == path.stat().st_size:
                return False
        except s3.exceptions.ClientError as error:
            if code_of(error) not in ("404", "NoSuchKey"):
                raise
        s3.upload_file(
            str(path),
            bucket.name,
            key,
            ExtraArgs={"ExpectedBucketOwner": bucket.aws.account, "ServerSideEncryption": "AES256"},
            Callback=watch,
        )
    return True


def prefixes(name: str) -> tuple[str, str]:
    """Where all objects of a deployment lie.

    Args:
        name: The deployment's.
    """
    return f"code/{name}/", f"locks/{name}.json"


def objects(bucket: CodeBucket, prefix: str) -> list[dict[str, str]]:
    """Every version of every object, and marks of deletion.

    Args:
        bucket: Which.
        prefix: What their keys begin with.

    Returns:
        ``Key`` and ``VersionId`` of each.
    """
    with answered(f"Listing {bucket.name}"):
        return list(_versions(bucket, prefix))


def delete(bucket: CodeBucket, found: list[dict[str, str]]) -> None:
    """Deletes objects for good.

    Args:
        bucket: Which.
        found: Of :func:`objects`.

    Raises:
        DeployError: One of them could not be deleted.
    """
    for start in range(0, len(found), _BATCH):
        with answered(f"Deleting from {bucket.name}"):
            answer = bucket.aws.client("s3").delete_objects(
                **bucket.owner, Delete={"Objects": found[start : start + _BATCH], "Quiet": True}
            )
        if answer.get("Errors"):
            first = answer["Errors"][0]
            raise DeployError(
                f"Objects of {bucket.name} must be deletable. Received: {first.get('Code')} for {first.get('Key')}. "
                "Repeat, or delete them by other means."
            )


def remove_if_empty(bucket: CodeBucket) -> bool:
    """Deletes the bucket that snapship made, unless it still holds something.

    Returns:
        Whether it is gone.
    """
    if not bucket.ours or not exists(bucket) or objects(bucket, ""):
        return False
    with answered(f"Deleting the bucket {bucket.name}"):
        bucket.aws.client("s3").delete_bucket(**bucket.owner)
    return True


def _versions(bucket: CodeBucket, prefix: str) -> Iterator[dict[str, str]]:
    pages = bucket.aws.client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(**bucket.owner, Prefix=prefix):
        for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            yield {"Key": entry["Key"], "VersionId": entry["VersionId"]}


def _is_protected(bucket: CodeBucket, s3: Any) -> bool:
    with answered(f"Looking at the bucket {bucket.name}"):
        return bool(s3.get_bucket_versioning(**bucket.owner).get("Status") == "Enabled")


def _protect(bucket: CodeBucket, s3: Any) -> None:
    s3.put_public_access_block(
        **bucket.owner,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_encryption(
        **bucket.owner,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    s3.put_bucket_lifecycle_configuration(
        **bucket.owner,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "old-locks",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "locks/"},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": OLD_LOCK_DAYS},
                },
                {
                    "ID": "broken-uploads",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                },
            ]
        },
    )
    # What stands in for AWS on this machine has no TLS, and would lock itself out.
    if str(s3.meta.endpoint_url).startswith("https:"):
        s3.put_bucket_policy(**bucket.owner, Policy=json.dumps(only_tls(bucket.name, s3.meta.partition)))
    # Last, since _is_protected looks at it.
    s3.put_bucket_versioning(**bucket.owner, VersioningConfiguration={"Status": "Enabled"})


def only_tls(name: str, partition: str) -> dict[str, Any]:
    """A bucket policy that refuses requests without TLS.

    Args:
        name: The bucket's.
        partition: ``aws``, or that of another cloud of AWS.
    """
    arn = f"arn:{partition}:s3:::{name}"
    statement = {
        "Sid": "OnlyTLS",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
