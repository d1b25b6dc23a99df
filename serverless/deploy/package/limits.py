"""Limits of AWS Lambda on packages.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

from collections.abc import Sequence

from serverless.deploy.errors import LimitError
from serverless.deploy.package.result import PartSize

DIRECT_ZIP_BYTES = 50 * 1024 * 1024
"""Maximum zip size in a request; a larger zip goes through S3."""

UNZIPPED_BYTES = 250 * 1024 * 1024
"""Maximum size of a function's files, with all its layers."""

IMAGE_BYTES = 10 * 1024**3
"""Maximum size of a container image, uncompressed."""

_MB = 1024 * 1024


def check_unzipped(total: int, sizes: Sequence[PartSize]) -> None:
    """Refuses a zip package that is too large for Lambda.

    Args:
        total: Size of its files in bytes.
        sizes: The size of each part, largest first, for the message.

    Raises:
        LimitError: It exceeds the limit.
    """
    if total > UNZIPPED_BYTES:
        largest = ", ".join(f"{part.name} {part.bytes / _MB:,.1f}" for part in sizes[:3])
        raise LimitError(
            f"A zip package must unpack to at most {UNZIPPED_BYTES / _MB:,.0f} MB. Received: {total / _MB:,.1f} MB "
            f"(in MB: {largest}). Ship a smaller artifact with --artifact, or a container with --image."
        )


def check_image(total: int) -> None:
    """Refuses a build context that is too large for a container image.

    Args:
        total: Size of its files in bytes.

    Raises:
        LimitError: It exceeds the limit.
    """
    if total > IMAGE_BYTES:
        raise LimitError(
            f"A container image must have at most {IMAGE_BYTES / _MB:,.0f} MB. Received: {total / _MB:,.1f} MB "
            "without the base image. Ship a smaller artifact with --artifact."
        )


def upload_note(zipped: int) -> str | None:
    """A note on the upload of a large zip; None for a small one.

    Args:
        zipped: The zip's size in bytes.
    """
    if zipped <= DIRECT_ZIP_BYTES:
        return None
    return (
        f"The zip has {zipped / _MB:,.1f} MB; AWS accepts up to {DIRECT_ZIP_BYTES / _MB:,.0f} MB directly, "
        "and larger ones through S3, which snapship deploy uses."
    )
