"""Errors of a request that is refused while it arrives.

::

    SlowRequestError    HTTP 408   the body took too long
    BusyError           HTTP 503   too many bytes of other requests are in memory
"""

from __future__ import annotations

from edge_runtime.errors import SnapshipError, UsageError


class SlowRequestError(UsageError):
    """A request that did not arrive in time."""

    http_status = 408


class BusyError(SnapshipError):
    """A request for which there is no room now."""

    http_status = 503
