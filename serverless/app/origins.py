"""Origins of web pages as browsers send them: scheme, host and port only."""

from __future__ import annotations

import re
from collections.abc import Iterable

from edge_runtime.errors import UsageError
from edge_runtime.quoting import quoted

# RFC 6454 section 6.2: lower case, no path, not even a trailing slash.
_ORIGIN = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]{2,39}\])(?::[0-9]{1,5})?"
)


def checked_origins(origins: Iterable[str], name: str = "cors_origins") -> tuple[str, ...]:
    """Checks that origins are exact, so that browsers can send them; refuses the wildcard.

    Args:
        origins: For example ``https://example.org``.
        name: The option or variable, for messages.

    Raises:
        UsageError: One is not an exact origin.
    """
    checked = tuple(origins)
    for origin in checked:
        if not _ORIGIN.fullmatch(origin):
            raise UsageError(
                f"{name} must be exact origins. Received: {quoted(origin)}. "
                "Write them as the browser does, in lower case and without a path: https://example.org"
            )
    return checked
