"""JSON of requests and answers."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge_runtime.result import Result


class ImageRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of ``POST /classify`` with ``Content-Type: application/json``.

    Attributes:
        image: One image, base64 or a ``data:`` URL.
        images: Several, answered in order.
        top_k: How many classes to return for each.
    """

    image: str | None = None
    images: tuple[str, ...] | None = None
    top_k: Annotated[int, Meta(ge=1)] | None = None


class Served(msgspec.Struct, frozen=True):
    """Which model answered: the bundle's name and the artifact's kind."""

    name: str
    artifact: str


class Timing(msgspec.Struct, frozen=True):
    """Milliseconds: receiving and parsing the request, then classifying its images."""

    read: float
    classify: float


class Scored(msgspec.Struct, frozen=True):
    """One class and its score, 0..1."""

    label: str
    index: int
    score: float


class Classified(msgspec.Struct, frozen=True):
    """What one image shows; predictions are sorted by falling score."""

    label: str
    score: float
    margin: float
    predictions: tuple[Scored, ...]


class Answer(Classified, frozen=True):
    """The answer to a request with one image."""

    model: Served
    timing_ms: Timing


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Problem details of RFC 9457; ``request_id`` is also in the server's log."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str = ""


class Failed(msgspec.Struct, frozen=True):
    """The place of an image that cannot be used, among the results of several."""

    error: Problem


class Answers(msgspec.Struct, frozen=True):
    """The answer to a request with several images, in their order."""

    results: tuple[Classified | Failed, ...]
    model: Served
    timing_ms: Timing


class Health(msgspec.Struct, frozen=True):
    """The answer of ``GET /health``."""

    status: Literal["ok"]
    bundle: str
    artifact: str
    engine: str
    version: str


class Labels(msgspec.Struct, frozen=True):
    """The answer of ``GET /labels``, in the order of the model's outputs."""

    labels: tuple[str, ...]


def classified(result: Result) -> Classified:
    """Turns a runtime's result into its JSON form."""
    scored = tuple(Scored(entry.label, entry.index, entry.score) for entry in result.predictions)
    return Classified(result.top.label, result.top.score, result.margin, scored)


def answer(result: Result, model: Served, timing_ms: Timing) -> Answer:
    """Adds the model and the times to one result."""
    one = classified(result)
    return Answer(one.label, one.score, one.margin, one.predictions, model, timing_ms)
