"""The code that a function runs."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from edge_runtime.errors import UsageError


@dataclass(frozen=True)
class Code:
    """A package, and where it is stored.

    Attributes:
        bucket: The bucket it is uploaded to; None leaves it to the parameter ``CodeBucket``.
        key: Its key there; None leaves it to the parameter ``CodeKey``.
        sha256: SHA-256 of the zip in hex; if there is no zip yet, of its inputs.
        zipped: Whether the zip exists; otherwise the parameter ``CodeSha256`` takes its hash.

    Raises:
        UsageError: sha256 is not 64 hex digits.
    """

    bucket: str | None
    key: str | None
    sha256: str
    zipped: bool = True

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{64}", self.sha256, re.ASCII):
            raise UsageError(
                f"The code's sha256 must be 64 hex digits. Received: {self.sha256!r}. Pass the zip's SHA-256."
            )

    @property
    def published(self) -> str | dict[str, str]:
        """Hash of the zip that a version is published from, in Lambda's notation."""
        if not self.zipped:
            return {"Ref": "CodeSha256"}
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()
