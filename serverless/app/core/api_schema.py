"""JSON of requests and responses; :mod:`serverless.app.http.openapi` describes exactly these."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from edge_runtime.bundle.manifest import Metrics, Verdict
from edge_runtime.bundle.rules import Rules
from edge_runtime.engines.result import Prediction, Result
from edge_runtime.image.input_spec import InputSpec

MAX_TOP_K = 999_999_999
"""More classes than any model has; a larger number is a mistake."""

TopK = Annotated[int, Meta(ge=1, le=MAX_TOP_K)]

Score = Annotated[float, Meta(ge=0, le=1)]


class ImageRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of ``POST /classify`` with ``Content-Type: application/json``.

    Attributes:
        image: One image, base64 or a ``data:`` URL.
        images: Several, answered in order.
        top_k: Number of classes to return per image.
        score_threshold: Classes with a lower score are omitted.
    """

    image: str | None = None
    images: tuple[str, ...] | None = None
    top_k: TopK | None = None
    score_threshold: Score | None = None


class Served(msgspec.Struct, frozen=True):
    """The model that answered: the bundle's name and the artifact's kind."""

    name: str
    artifact: str


class Timing(msgspec.Struct, frozen=True):
    """Milliseconds for receiving and parsing the request, and for classifying its images."""

    read: float
    classify: float


class Scored(msgspec.Struct, frozen=True):
    """One class and its score, 0..1."""

    label: str
    index: int
    score: float


class Classified(msgspec.Struct, frozen=True, kw_only=True):
    """The classes of one image; predictions are sorted by descending score.

    Label and score are null if no class reaches the score_threshold. The members known, answered and
    candidates are absent where the model has no rule for them: then the answer is as it was before there were
    rules.
    """

    label: str | None
    score: float | None
    margin: float
    known: (
        Annotated[
            bool,
            Meta(description="Whether the image shows something of the kind that the model was trained on."),
        ]
        | UnsetType
    ) = UNSET
    answered: (
        Annotated[
            bool,
            Meta(
                description="Whether the label may be taken for the answer: the image is known, the model sure."
            ),
        ]
        | UnsetType
    ) = UNSET
    candidates: (
        Annotated[
            tuple[Scored, ...],
            Meta(description="The classes that may be true, best first, at the model's own scores."),
        ]
        | UnsetType
    ) = UNSET
    predictions: tuple[Scored, ...]


class Answer(Classified, frozen=True, kw_only=True):
    """The answer to a request with one image."""

    model: Served
    timing_ms: Timing


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Problem details (RFC 9457); ``request_id`` is also in the server's log."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str = ""


class Failed(msgspec.Struct, frozen=True):
    """Takes the place of an image that cannot be used among the results of several."""

    error: Problem


class Answers(msgspec.Struct, frozen=True):
    """The answer to a request with several images, in the same order."""

    results: tuple[Classified | Failed, ...]
    model: Served
    timing_ms: Timing


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer of ``GET /health``: the process is alive; no details if the endpoint requires keys."""

    status: Literal["ok"]
    bundle: str = ""
    artifact: str = ""
    engine: str = ""
    version: str = ""


class Ready(msgspec.Struct, frozen=True):
    """The answer of ``GET /ready``: the model is loaded and reproduces its exported answers.

    Attributes:
        status: Always ``ready``; anything else is a problem.
        selftest: ``none`` if the bundle has no golden examples to replay.
        examples: Number of golden examples that were reproduced.
    """

    status: Literal["ready"]
    selftest: Literal["passed", "none"]
    examples: int


class Labels(msgspec.Struct, frozen=True):
    """The answer of ``GET /labels``, in the order of the model's outputs."""

    labels: tuple[str, ...]


class Limits(msgspec.Struct, frozen=True):
    """Limits of a request.

    Attributes:
        max_bytes: Size of the body.
        max_images: Images in one request.
        max_pixels: Width times height of an image; null if the app does not know it.
    """

    max_bytes: int
    max_images: int
    max_pixels: int | None


class CascadeInfo(msgspec.Struct, frozen=True):
    """The two model files of a cascade.

    Attributes:
        artifacts: Their kinds: the one that sees every image, and the one that sees what it passes on.
        files: Their paths in the bundle.
        sha256: Their hashes.
        margin: An image is passed on if the first's best score minus its second best is below this.
        passed_on: Share of the judging images that was passed on.
    """

    artifacts: tuple[str, str]
    files: tuple[str, str]
    sha256: tuple[str, str]
    margin: float
    passed_on: float


class ModelInfo(msgspec.Struct, frozen=True):
    """The artifact that answers, as its bundle describes it.

    Attributes:
        precision: For example ``int8``.
        sha256: Hash of the model file; of a cascade, of what decides its answers.
        bytes: Size of the model file, or of both.
        input: The input that images are resized to.
        verdict: The gate's verdict.
        metrics: What the verdict was based on; null if the artifact was not checked.
        rules: When its answers may be believed; absent if it has no rules.
        cascade: The files of a cascade; absent for one file.
    """

    precision: str
    sha256: str
    bytes: int
    input: InputSpec
    verdict: Verdict
    metrics: Metrics | None
    rules: Rules | UnsetType = UNSET
    cascade: CascadeInfo | UnsetType = UNSET


class Info(msgspec.Struct, frozen=True):
    """The answer of ``GET /info``.

    Attributes:
        bundle: The bundle's name.
        artifact: The kind of the model file that answers.
        engine: The engine that runs it.
        classes: Number of labels.
        top_k: Default number of classes returned.
        formats: Supported image formats.
        limits: Limits of a request.
        model: The model file, as its bundle describes it; null for a model without a bundle.
        version: The version of snapship.
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
    """Converts a result of the runtime to its JSON form."""
    scored = _scored(result.predictions)
    return Classified(
        label=scored[0].label if scored else None,
        score=scored[0].score if scored else None,
        margin=result.margin,
        known=UNSET if result.known is None else result.known,
        answered=UNSET if result.answered is None else result.answered,
        candidates=UNSET if result.candidates is None else _scored(result.candidates),
        predictions=scored,
    )


def _scored(predictions: tuple[Prediction, ...]) -> tuple[Scored, ...]:
    return tuple(Scored(entry.label, entry.index, entry.score) for entry in predictions)
