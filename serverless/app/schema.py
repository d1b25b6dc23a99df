"""JSON of requests and answers; :mod:`serverless.app.openapi` describes exactly these."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge_runtime.manifest import Metrics, Verdict
from edge_runtime.result import Result
from edge_runtime.spec import InputSpec

MAX_TOP_K = 999_999_999
"""More than any model has classes; a larger number is a mistake."""

TopK = Annotated[int, Meta(ge=1, le=MAX_TOP_K)]

Score = Annotated[float, Meta(ge=0, le=1)]


class ImageRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of ``POST /classify`` with ``Content-Type: application/json``.

    Attributes:
        image: One image, base64 or a ``data:`` URL.
        images: Several, answered in order.
        top_k: How many classes to return for each.
        score_threshold: Classes with a lower score are left out.
    """

    image: str | None = None
    images: tuple[str, ...] | None = None
    top_k: TopK | None = None
    score_threshold: Score | None = None


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
    """What one image shows; predictions are sorted by falling score.

    Label and score are null where no class reaches the score_threshold.
    """

    label: str | None
    score: float | None
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


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer of ``GET /health``: the process lives; nothing else where keys are asked for."""

    status: Literal["ok"]
    bundle: str = ""
    artifact: str = ""
    engine: str = ""
    version: str = ""


class Ready(msgspec.Struct, frozen=True):
    """The answer of ``GET /ready``: the model is loaded and gives the answers of its export.

    Attributes:
        status: Always ``ready``; else it is a problem.
        selftest: ``none`` where the bundle has no golden examples to replay.
        examples: How many golden examples gave the same answers.
    """

    status: Literal["ready"]
    selftest: Literal["passed", "none"]
    examples: int


class Labels(msgspec.Struct, frozen=True):
    """The answer of ``GET /labels``, in the order of the model's outputs."""

    labels: tuple[str, ...]


class Limits(msgspec.Struct, frozen=True):
    """What a request may have at most.

    Attributes:
        max_bytes: Of the body.
        max_images: Images in one request.
        max_pixels: Width times height of an image; null where the app does not know it.
    """

    max_bytes: int
    max_images: int
    max_pixels: int | None


class ModelInfo(msgspec.Struct, frozen=True):
    """What the bundle says of the artifact that answers.

    Attributes:
        precision: Such as ``int8``.
        sha256: Of the model file.
        bytes: Of the model file.
        input: What an image is resized to.
        verdict: What the gate said of it.
        metrics: What it was based on; null when it was not checked.
    """

    precision: str
    sha256: str
    bytes: int
    input: InputSpec
    verdict: Verdict
    metrics: Metrics | None


class Info(msgspec.Struct, frozen=True):
    """The answer of ``GET /info``.

    Attributes:
        bundle: Its name.
        artifact: The kind of the model file that answers.
        engine: The interpreter that runs it.
        classes: How many labels there are.
        top_k: Classes returned when a request does not say how many.
        formats: Image formats that are decoded.
        limits: What a request may have at most.
        model: What the bundle says of the model file; null where the app was given a bare model.
        version: Of snapship.
    """

    bundle: str
    artifact: str
    engine: str
    classes: int
    top_k: int
    formats: tuple[str, ...]
    limits: Limits
    model: ModelInfo | None
    version: str


def classified(result: Result) -> Classified:
    """Turns a runtime's result into its JSON form."""
    scored = tuple(Scored(entry.label, entry.index, entry.score) for entry in result.predictions)
    label, score = (scored[0].label, scored[0].score) if scored else (None, None)
    return Classified(label, score, result.margin, scored)
