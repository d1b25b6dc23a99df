"""One invocation of the function: what its handler needs, its log lines, and reading its JSON."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from edge_runtime.common.errors import ImageError, UsageError
from edge_runtime.common.text import shortened
from serverless.app.core.api_schema import Answer, Answers
from serverless.app.core.http_problems import ForbiddenError, UnprocessableError
from serverless.app.core.request_reading import ClassifyRequest
from serverless.app.core.service import Service, answer_to
from serverless.app.core.settings import AppConfig
from serverless.app.core.telemetry import RequestRecord, log_event

T = TypeVar("T")


@dataclass(frozen=True)
class Invocation:
    """What every event handler needs.

    Attributes:
        service: The model.
        config: The app's configuration.
        request_id: Lambda's request id.
    """

    service: Service
    config: AppConfig
    request_id: str = ""

    @contextmanager
    def logged(self, kind: str, part: str = "") -> Iterator[RequestRecord]:
        """Writes one log line, whatever happens within.

        Args:
            kind: Kind of the event.
            part: The message of a batch; the line's request id ends with it.
        """
        record = RequestRecord(kind, request_id="/".join(filter(None, (self.request_id, part))))
        start = time.perf_counter()
        try:
            yield record
            record.status = record.status or 200
        except Exception as error:
            if isinstance(error, UsageError | ImageError):
                # The sender's fault: only the class, since the message may repeat what was sent.
                record.status, record.error = error.http_status, type(error).__name__
            else:
                # The operator's to fix: AWS, its permissions, the configuration.
                record.status = 403 if isinstance(error, ForbiddenError) else 500
                record.failed(error)
            raise
        finally:
            record.total_ms = (time.perf_counter() - start) * 1000
            # A warm-up does not count as a request, but a failed one counts as an error.
            silent = kind == "warmup" and record.status < 500
            log_event(record, namespace="" if silent else self.config.metrics_namespace)

    def answer(self, request: ClassifyRequest, record: RequestRecord, start: float) -> Answer | Answers:
        """Classifies a request's images on this thread.

        Args:
            request: What to classify.
            record: Its log record.
            start: When it arrived, by ``time.perf_counter``.

        Raises:
            SnapshipError: Its only image cannot be used, or the server failed.
        """
        record.add_request(len(request.images), start)
        top_k = request.top_k or self.config.top_k
        found = [self.service.try_one(image, top_k, request.options) for image in request.images]
        return answer_to(request, found, self.service.served, record, start)


def read(content: Any, kind: type[T], rule: str, cure: str = "Send it unchanged.") -> T:
    """Reads an event or a part of one.

    Args:
        content: Decoded JSON; its texts may contain lone surrogates.
        kind: A struct type.
        rule: What it must be, as a sentence.
        cure: What to do, as a sentence.

    Raises:
        UnprocessableError: A field is missing or invalid; the message names it.
    """
    try:
        return msgspec.convert(content, kind)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise UnprocessableError(f"{rule} Received: {shortened(error, 200)}. {cure}") from error
