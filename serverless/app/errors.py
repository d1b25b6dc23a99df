"""Errors that only the endpoint raises; the others are in ``edge_runtime``.

::

    UsageError                 HTTP 400   the request is malformed: broken JSON, broken multipart
    └── UnprocessableError     HTTP 422   it is readable but breaks a rule
    SnapshipError
    ├── UnauthorizedError      HTTP 401   no key, or an invalid one
    ├── ForbiddenError         HTTP 403   a preflight from an origin that is not allowed
    └── UnavailableError       HTTP 503   temporarily unavailable; says why and when to retry
        └── NotReadyError                 the self-test is running, or failed
"""

from __future__ import annotations

from edge_runtime.errors import SnapshipError, UsageError


class UnprocessableError(UsageError):
    """A well-formed request whose content breaks a rule, e.g. ``top_k`` 0."""

    http_status = 422


class UnauthorizedError(SnapshipError):
    """A request without a valid key.

    Attributes:
        wrong: Whether it had an invalid one.
    """

    http_status = 401

    def __init__(self, message: str, *, wrong: bool = False) -> None:
        super().__init__(message)
        self.wrong = wrong


class ForbiddenError(SnapshipError):
    """A request that is not allowed with any key."""

    http_status = 403


class UnavailableError(SnapshipError):
    """A request that cannot be answered now, for a reason that needs no stack trace.

    Attributes:
        retry_after: Seconds after which to retry.
    """

    http_status = 503

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotReadyError(UnavailableError):
    """An endpoint that must not receive traffic, for now or for good."""
