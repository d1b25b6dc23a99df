"""The bucket for code: one per account and region, shared by all deployments.

::

    code/NAME/SHA256.zip   packages; the key contains the hash, so nothing is uploaded twice
    locks/NAME.json        who is deploying, see serverless/deploy/stack/lock.py

It is private, encrypted, versioned, and reachable over TLS only. Every call names the expected owner,
so code is neither sent to nor read from a stranger's bucket of the same name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serverless.aws import Connection, CredentialsError, Ignoring, MissingResourceError, answered, code_of
from serverless.deploy.config.errors import DeployError
from serverless.deploy.template.events import NOT_PUBLIC

OLD_LOCK_DAYS = 1
"""How long overwritten versions of a lock are kept; renewal writes one per minute."""

_BATCH = 1000
"""Objects per delete request (S3: DeleteObjects)."""


@dataclass(frozen=True)
class CodeBucket:
    """A bucket for code.

    Attributes:
        aws: The account and region.
        name: Its name.
        ours: Whether snapship creates it, as opposed to a bucket that the user named.
    """

    aws: Connection
    name: str
    ours: bool

    @property
    def owner(self) -> dict[str, str]:
        """Arguments for every call, which then fails on another account's bucket."""
        return {"Bucket": self.name, "ExpectedBucketOwner": self.aws.account}


def code_bucket(aws: Connection, named: str | None = None) -> CodeBucket:
    """The bucket for code, which may not exist yet.

    Args:
        aws: The account and region.
        named: The user's own bucket; None for ``snapship-code-ACCOUNT-REGION``.
    """
    if named is not None:
        return CodeBucket(aws, named, ours=False)
    return CodeBucket(aws, f"snapship-code-{aws.account}-{aws.region}", ours=True)


def code_prefix(name: str) -> str:
    """Prefix of all packages of a deployment.

    Args:
        name: The deployment's name.
    """
    return f"code/{name}/"


def code_key(name: str, sha256: str) -> str:
    """Key of a package.

    Args:
        name: The deployment's name.
        sha256: SHA-256 of the zip, in hex.
    """
    return f"{code_prefix(name)}{sha256}.zip"


def exists(bucket: CodeBucket) -> bool:
    """Whether the bucket exists and is accessible.

    Raises:
        CredentialsError: It belongs to another account, or access is denied.
    """
    s3 = bucket.aws.client("s3")
    with answered(f"Using the bucket {bucket.name}"):
        try:
            s3.head_bucket(**bucket.owner)
        except s3.exceptions.ClientError as error:
            if code_of(error) in ("404", "NoSuchBucket"):
                return False
            if code_of(error) == "403":
                # AWS gives no reason for a failed HEAD request.
                raise CredentialsError(
                    f"The code bucket must be listable and belong to this account. Received: {bucket.name}, which "
                    "belongs to another account, or lacks s3:ListBucket. Get the permission, or pass --bucket."
                ) from error
            raise
    return True


def ensure(bucket: CodeBucket) -> bool:
    """Creates and configures the bucket if it does not exist. Safe to repeat.

    Returns:
        Whether it was created.

    Raises:
        MissingResourceError: The bucket that the user named does not exist.
        DeployError: The name belongs to another account.
    """
    s3, region = bucket.aws.client("s3"), bucket.aws.region
    if exists(bucket):
        if bucket.ours and not _is_protected(bucket, s3):
            # Whoever created it was interrupted.
            with answered(f"Protecting the bucket {bucket.name}"):
                _protect(bucket, s3)
        return False
    if not bucket.ours:
        raise MissingResourceError(
            f"--bucket must name a bucket of this account. Received: {bucket.name}, which does not exist. "
            "Create it, or leave --bucket out."
        )
    # us-east-1 is the default, and must not be named.
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with answered(f"Creating the bucket {bucket.name}"):
        try:
            s3.create_bucket(Bucket=bucket.name, **place)
        except s3.exceptions.ClientError as error:
            if code_of(error) == "BucketAlreadyExists":
                raise DeployError(
                    f"The code bucket must belong to this account. Received: {bucket.name} of another account. "
                    "Pass --bucket with one of your own."
                ) from error
            if code_of(error) != "BucketAlreadyOwnedByYou":
                raise
        _protect(bucket, s3)
    return True


def upload(
    bucket: CodeBucket, key: str, path: Path, watch: Callable[[int], None] = lambda bytes: None
) -> bool:
    """Uploads a package unless it is already there.

    Args:
        bucket: The bucket.
        key: A key from :func:`code_key`.
        path: The zip.
        watch: Called with the number of bytes sent since the last call.

    Returns:
        Whether it was uploaded.
    """
    s3 = bucket.aws.client("s3")
    with answered(f"Uploading {path.name}"):
        with Ignoring("404", "NoSuchKey"):
            # An object of another size is an incomplete upload by other means.
            if s3.head_object(**bucket.owner, Key=key)["ContentLength"] == path.stat().st_size:
                return False
        s3.upload_file(
            str(path),
            bucket.name,
            key,
            ExtraArgs={"ExpectedBucketOwner": bucket.aws.account, "ServerSideEncryption": "AES256"},
            Callback=watch,
        )
    return True


def objects(bucket: CodeBucket, prefix: str) -> list[dict[str, str]]:
    """Every version of every object, including delete markers.

    Args:
        bucket: The bucket.
        prefix: Prefix of the keys.

    Returns:
        ``Key`` and ``VersionId`` of each.
    """
    pages = bucket.aws.client("s3").get_paginator("list_object_versions")
    with answered(f"Listing {bucket.name}"):
        return [
            {"Key": entry["Key"], "VersionId": entry["VersionId"]}
            for page in pages.paginate(**bucket.owner, Prefix=prefix)
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        ]


def delete(bucket: CodeBucket, found: list[dict[str, str]]) -> None:
    """Deletes objects permanently.

    Args:
        bucket: The bucket.
        found: Objects from :func:`objects`.

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
    """Deletes the bucket that snapship created, unless it still contains something.

    Returns:
        Whether it was deleted.
    """
    if not bucket.ours or not exists(bucket) or objects(bucket, ""):
        return False
    with answered(f"Deleting the bucket {bucket.name}"):
        bucket.aws.client("s3").delete_bucket(**bucket.owner)
    return True


def _is_protected(bucket: CodeBucket, s3: Any) -> bool:
    with answered(f"Checking the bucket {bucket.name}"):
        return bool(s3.get_bucket_versioning(**bucket.owner).get("Status") == "Enabled")


def _protect(bucket: CodeBucket, s3: Any) -> None:
    s3.put_public_access_block(
        **bucket.owner,
        PublicAccessBlockConfiguration=NOT_PUBLIC,
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
    # A local stand-in for AWS has no TLS, and would lock itself out.
    if str(s3.meta.endpoint_url).startswith("https:"):
        s3.put_bucket_policy(**bucket.owner, Policy=json.dumps(only_tls(bucket.name, s3.meta.partition)))
    # Last, since _is_protected checks it.
    s3.put_bucket_versioning(**bucket.owner, VersioningConfiguration={"Status": "Enabled"})


def only_tls(name: str, partition: str) -> dict[str, Any]:
    """A bucket policy that denies requests without TLS.

    Args:
        name: The bucket's name.
        partition: ``aws``, or another AWS partition.
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
