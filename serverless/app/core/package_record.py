"""What a package says about itself: the artifact that it was made for."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge_runtime.common.errors import UsageError
from edge_runtime.common.text import shortened

RECORD_FILE = "snapship-package.json"
"""What ``snapship package`` records of a package, beside the code."""


class _Record(msgspec.Struct):
    """The one field of it that is read here."""

    artifact: str


def packaged_artifact(root: Path) -> str | None:
    """The artifact that a package was made for: of a cascade's two files, each could be served alone.

    Args:
        root: The folder of the code.

    Returns:
        Its kind; None where the code is not a package.

    Raises:
        UsageError: The record is damaged.
    """
    file = root / RECORD_FILE
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Record).artifact
    except OSError:
        return None
    except (msgspec.MsgspecError, ValueError) as error:
        raise UsageError(
            f"A package's record must be intact. Received: {file} ({shortened(error, 200)}). Package the bundle again."
        ) from error
