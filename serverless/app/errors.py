"""The one error that only the endpoint raises; the others are those of ``edge_runtime``.

::

    UsageError                 HTTP 400   the request is not readable: broken JSON, broken multipart
    └── UnprocessableError     HTTP 422   it is readable and asks for what makes no sense
"""

from __future__ import annotations

from edge_runtime.errors import UsageError


class UnprocessableError(UsageError):
    """A well-formed request whose content breaks a rule, such as ``top_k`` 0."""

    http_status = 422
