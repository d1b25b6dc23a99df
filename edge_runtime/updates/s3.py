"""Fetches from S3. The only file of the runtime that imports boto3, and only for ``s3://``.

Credentials, region and endpoint are configured for boto3: environment variables such as
``AWS_ENDPOINT_URL_S3``, ``~/.aws``, or the machine's role.
"""

from __future__ import annotations

from typing import BinaryIO

from edge_runtime.errors import EnvironmentMissingError, UsageError
from edge_runtime.progress import Progress

_TIMEOUT_S = 30


def fetch_s3(bucket: str, key: str, into: BinaryIO, max_bytes: int, progress: Progress) -> None:
    """Downloads an object.

    Args:
        bucket: The bucket.
        key: The key.
        into: The file to write to.
        max_bytes: Limit of its size.
        progress: Called with bytes received and bytes in all.

    Raises:
        UsageError: The object does not exist, cannot be read, or is too large.
        EnvironmentMissingError: boto3 or credentials are missing.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            NoCredentialsError,
            PartialCredentialsError,
        )
    except ModuleNotFoundError as error:
        raise EnvironmentMissingError.of_extra("A source in S3", "boto3", "s3") from error
    shown = f"s3://{bucket}/{key}"
    settings = Config(connect_timeout=_TIMEOUT_S, read_timeout=_TIMEOUT_S, retries={"max_attempts": 3})
    try:
        answer = boto3.Session().client("s3", config=settings).get_object(Bucket=bucket, Key=key)
        total, done = int(answer["ContentLength"]), 0
        if total > max_bytes:
            raise UsageError(
                f"A download must have at most {max_bytes:,} bytes. Received: {total:,} from {shown}. "
                "Check the source."
            )
        # botocore raises if fewer bytes arrive than announced.
        for chunk in answer["Body"].iter_chunks(1 << 18):
            into.write(chunk)
            done += len(chunk)
            progress("Downloading", done, total)
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise EnvironmentMissingError(
            f"A source in S3 needs AWS credentials. Received: none for {shown}. "
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run: aws configure"
        ) from error
    except (BotoCoreError, ClientError) as error:
        raise UsageError(
            f"A source must be readable. Received: {shown} ({error}). Check its name and your permissions."
        ) from error
