"""Which code a function runs."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from edge_runtime.errors import UsageError


@dataclass(frozen=True)
class Code:
    """A package, and where it lies.

    Attributes:
        bucket: Where it was uploaded; None leaves it to the parameter ``CodeBucket``.
        key: Its key there; None leaves it to the parameter ``CodeKey``.
        sha256: Of the zip, in hex; where it is not made yet, of what it will be made of.
        zipped: Whether the zip is made; else the parameter ``CodeSha256`` says which one it is.

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
                f"The code's sha256 must be 64 hex digits. Received: {self.sha256!r}. Take that of the zip."
            )

    @property
    def published(self) -> str | dict[str, str]:
        """Hash of the zip that a version is published of, as Lambda writes it."""
        if not self.zipped:
            return {"Ref": "CodeSha256"}
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()
