"""The errors that only the endpoint raises; the others are those of ``edge_runtime``.

::

    UsageError                 HTTP 400   the request is not readable: broken JSON, broken multipart
    └── UnprocessableError     HTTP 422   it is readable and asks for what makes no sense
    SnapshipError
    ├── UnauthorizedError      HTTP 401   no key, or a wrong one
    ├── ForbiddenError         HTTP 403   a preflight of an origin that is not allowed
    └── UnavailableError       HTTP 503   not now; the client is told why and when to ask again
        └── NotReadyError                 the self-test runs, or failed
"""

from __future__ import annotations

from edge_runtime.errors import SnapshipError, UsageError


class UnprocessableError(UsageError):
    """A well-formed request whose content breaks a rule, such as ``top_k`` 0."""

    http_status = 422


class UnauthorizedError(SnapshipError):
    """A request without a valid key.

    Attributes:
        wrong: Whether it brought one.
    """

    http_status = 401

    def __init__(self, message: str, *, wrong: bool = False) -> None:
        super().__init__(message)
        self.wrong = wrong


class ForbiddenError(SnapshipError):
    """A request that no key would allow."""

    http_status = 403


class UnavailableError(SnapshipError):
    """A request that cannot be answered now, through no failure that needs a stack trace.

    Attributes:
        retry_after: Seconds until it makes sense to ask again.
    """

    http_status = 503

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotReadyError(UnavailableError):
    """An endpoint that must not get traffic, now or ever."""
