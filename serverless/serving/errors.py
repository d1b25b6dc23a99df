"""Errors of a request that is refused while it arrives.

::

    SlowRequestError    HTTP 408   the body took too long
    BusyError           HTTP 503   too many bytes of requests are in memory
"""

from __future__ import annotations

from edge_runtime.errors import UsageError
from serverless.app.errors import UnavailableError


class SlowRequestError(UsageError):
    """A request that did not arrive in time."""

    http_status = 408


class BusyError(UnavailableError):
    """A request for which there is currently no room."""
