"""The size limit of a request's body, enforced while it is read and before anything is decoded."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import Message, Receive

from edge_runtime.errors import ImageTooLargeError
from serverless.app.telemetry import RequestRecord


def limit_body(request: Request, max_bytes: int, record: RequestRecord) -> Request:
    """Returns the request with a limit on its body.

    A ``Content-Length`` over the limit is refused before the first byte is read; a body without
    one, or one longer than declared, as soon as it exceeds the limit.

    Args:
        request: A request whose body has not been read.
        max_bytes: Size limit of the body.
        record: Receives the number of bytes read.

    Returns:
        A request whose body raises ImageTooLargeError (HTTP 413) on reading.
    """
    return Request(request.scope, _counting(request, max_bytes, record))


def _counting(request: Request, max_bytes: int, record: RequestRecord) -> Receive:
    receive = request.receive
    declared = request.headers.get("content-length", "")
    received = 0

    async def counted() -> Message:
        nonlocal received
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > max_bytes:
            raise _too_large(f"Content-Length {int(declared[:20]):,}", max_bytes)
        message = await receive()
        received += len(message.get("body", b""))
        record.bytes = received
        if received > max_bytes:
            raise _too_large(f"{received:,} or more", max_bytes)
        return message

    return counted


def _too_large(size: str, max_bytes: int) -> ImageTooLargeError:
    return ImageTooLargeError(
        f"A request's body must have at most {max_bytes:,} bytes. Received: {size}. "
        "Send a smaller image, or fewer in one request."
    )
