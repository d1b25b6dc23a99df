"""The written package: its place, its reproducible zip, its size, and Lambda's limits on that.

The same files give the same bytes of a zip on any day, in any folder, for any user. Limits:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from edge_runtime.common.atomic_file import is_there, usable_path
from edge_runtime.common.errors import UsageError
from edge_runtime.common.temporary import put_back
from serverless.app.core.package_record import RECORD_FILE
from serverless.deploy.config.errors import LimitError
from serverless.deploy.package.config import PartSize
from serverless.deploy.package.package_files import Tree

TASK_FOLDER = "task"
"""The folder of a build context with the package's files."""

TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can store."""

MODE = 0o100644
"""A plain file that anyone may read, as Lambda runs a function as a user of its own."""

LEVEL = 9
"""The highest: three times as long as level 6, for half a percent."""
_UNIX = 3

DIRECT_ZIP_BYTES = 50 * 1024 * 1024
"""Maximum zip size in a request; a larger zip goes through S3."""

UNZIPPED_BYTES = 250 * 1024 * 1024
"""Maximum size of a function's files, with all its layers."""

IMAGE_BYTES = 10 * 1024**3
"""Maximum size of a container image, uncompressed."""

_MB = 1024 * 1024


def check_zip_path(out: Path, overwrite: bool) -> None:
    """Checks that a zip may be written.

    Args:
        out: The zip.
        overwrite: Whether an existing file may be replaced.

    Raises:
        UsageError: The path is in use.
    """
    with usable_path(out, "--out", "--out must be a usable path"):
        if not is_there(out, follow_links=False):
            return
        if out.is_dir():
            raise UsageError(
                f"A package must be a file. Received: --out {out}, a folder. Pass another --out."
            )
        if not overwrite:
            raise UsageError(f"A package must be new. Received: --out {out}, which exists. Pass --overwrite.")


def check_context_path(folder: Path, overwrite: bool) -> None:
    """Checks that a build context may be written.

    Args:
        folder: The build context.
        overwrite: Whether an existing build context may be replaced; never any other folder.

    Raises:
        UsageError: The path is in use.
    """
    put_back(folder)
    with usable_path(folder, "--image", "--image must be a usable path"):
        if not is_there(folder, follow_links=False) or (folder.is_dir() and not any(folder.iterdir())):
            return
        if not (folder / TASK_FOLDER / RECORD_FILE).is_file():
            raise UsageError(
                f"A build context must be new. Received: --image {folder}, which contains something else. "
                "Pass another --image."
            )
        if not overwrite:
            raise UsageError(
                f"A build context must be new. Received: --image {folder}, which exists. Pass --overwrite."
            )


def write_zip(file: IO[bytes], files: Mapping[str, bytes]) -> dict[str, int]:
    """Writes files sorted by name, with a fixed time, mode and compression.

    The compressed bytes depend on this machine's zlib: another implementation gives another zip
    with the same files.

    Args:
        file: The file to write to.
        files: Content by path.

    Returns:
        Compressed size of each file.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, TIME)
            info.create_system = _UNIX
            info.external_attr = MODE << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name], compresslevel=LEVEL)
        return {info.filename: info.compress_size for info in archive.infolist()}


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


def part_sizes(tree: Tree, zipped: Mapping[str, int] | None = None) -> tuple[PartSize, ...]:
    """Adds the sizes of a package's files up by part.

    Args:
        tree: The package's files.
        zipped: Compressed size of each file; None if nothing is compressed.

    Returns:
        The sizes, largest first.
    """
    files: Counter[str] = Counter()
    size: Counter[str] = Counter()
    packed: Counter[str] = Counter()
    for file, part in tree.parts.items():
        files[part] += 1
        size[part] += len(tree.files[file])
        packed[part] += zipped[file] if zipped is not None else 0
    rows = [
        PartSize(part, tree.versions.get(part, ""), files[part], size[part], packed[part]) for part in files
    ]
    return tuple(sorted(rows, key=lambda row: (-row.bytes, row.name)))
