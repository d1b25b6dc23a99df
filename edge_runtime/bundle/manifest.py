"""``manifest.json``: how a bundle describes itself, as strict structs. The runtime's configuration is this file.

Schema 2 adds to schema 1 an artifact's rules, extra outputs and reference statistics, and a bundle's cascade.
A manifest without them is written as schema 1, which older runtimes read too; they refuse schema 2.
"""

# No "from __future__ import annotations": msgspec would compile each again when a bundle is first read (1 ms).
from typing import Any, Literal

import msgspec

from edge_runtime.bundle.labels import check_count, validated
from edge_runtime.bundle.rules import ReferenceStatistics, Rules, check_reference, check_rules
from edge_runtime.bundle.strict_json import Strict, check_fraction, check_positive, decode_json, encode_json
from edge_runtime.common.errors import BundleError
from edge_runtime.common.text import quoted, shortened
from edge_runtime.image.input_spec import InputSpec

MANIFEST_FILE = "manifest.json"
SCHEMA_VERSION = 2
"""The newest schema that this version reads; it reads all before it."""

_SECOND = ("outputs", "rules", "reference")
"""The fields of an artifact that schema 1 does not have."""

Format = Literal["tflite", "onnx", "saved-model", "coreml", "c-array"]
"""The file format of an artifact; only ``tflite`` and ``onnx`` files run on this package's engines."""

Verdict = Literal["pass", "fail", "inconclusive", "unchecked"]
Dtype = Literal["float32", "uint8"]


class TensorSpec(Strict, frozen=True):
    """One input or output of a model file.

    Attributes:
        name: The tensor's name in the file.
        dtype: ``float32``, or ``uint8`` for the pixels of an int8 artifact.
        shape: Sizes; ``"batch"`` marks the dynamic batch dimension of ONNX files.
        scale: Quantization scale of a ``uint8`` tensor, else None.
        zero_point: Quantization zero point of a ``uint8`` tensor, else None.
    """

    name: str
    dtype: Dtype
    shape: tuple[int | str, ...]
    scale: float | None = None
    zero_point: int | None = None


class WorstClass(Strict, frozen=True):
    """The class that lost most accuracy; delta in fractions of 1 (-0.02 is 2 points)."""

    label: str
    delta: float


class Metrics(Strict, frozen=True):
    """An artifact against the full model, on the same labelled images.

    Attributes:
        n: Images compared.
        top1: The artifact's top-1, 0..1.
        delta: Artifact's top-1 minus the full model's, fractions of 1.
        bound: Lower end of the one-sided 95 % interval of delta.
        lost: Images that only the full model classifies correctly.
        won: Images that only the artifact classifies correctly.
        agreement: Share of images with the same top-1, 0..1.
        kl: Mean KL divergence in nats, both score vectors floored at 1/512.
        max_abs_dp: Largest change of any score.
        ece: Expected calibration error of the artifact, 15 bins, 0..1.
        worst_class: The class that lost most.
        latency_ms: Median of one inference with one thread, on the machine that checked; of a cascade, the mean.
    """

    n: int
    top1: float
    delta: float
    bound: float
    lost: int
    won: int
    agreement: float
    kl: float
    max_abs_dp: float
    ece: float
    worst_class: WorstClass
    latency_ms: float


class Artifact(Strict, frozen=True):
    """One model file of a bundle.

    Attributes:
        kind: Its name everywhere, such as ``tflite-int8``.
        file: Path inside the bundle, with ``/``.
        format: The file's format.
        precision: ``fp32``, ``int8``, ...
        sha256: Hash of the file, 64 hex digits.
        bytes: Size of the file.
        input: Its input tensor.
        output: Its output tensor.
        verdict: The gate's verdict.
        metrics: What the verdict is based on; None when unchecked.
        temperature: T of ``p^(1/T)``, renormalised, that calibrates its scores; 1 leaves them as they are.
        repairs: The repairs that were applied, in order, such as ``bias correction``.
        outputs: Further outputs, in the file's order after the scores; schema 2, as all that follow.
        rules: When its answers may be believed.
        reference: How it answered the images that its rules were made from.
    """

    kind: str
    file: str
    format: Format
    precision: str
    sha256: str
    bytes: int
    input: TensorSpec
    output: TensorSpec
    verdict: Verdict = "unchecked"
    metrics: Metrics | None = None
    temperature: float = 1.0
    repairs: tuple[str, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    rules: Rules | None = None
    reference: ReferenceStatistics | None = None

    def __post_init__(self) -> None:
        check_positive("temperature", self.temperature)
        if self.bytes < 0:
            raise ValueError(f"bytes must not be negative. Received: {self.bytes}")


class Cascade(Strict, frozen=True):
    """Two artifacts that answer as one: the second sees only images on which the first is not sure.

    Attributes:
        kind: Its name everywhere, such as ``tflite-cascade``.
        first: The kind of the artifact that sees every image.
        second: The kind of the artifact that sees what the first passes on.
        margin: An image is passed on if the first's best score minus its second best is below this, 0..1.
        passed_on: Share of the judging images that was passed on, 0..1.
        verdict: The gate's verdict on both together.
        metrics: What the verdict is based on; None when unchecked.
        temperature: As that of an artifact.
        rules: When its answers may be believed.
        reference: How it answered the images that its rules were made from.
    """

    kind: str
    first: str
    second: str
    margin: float
    passed_on: float
    verdict: Verdict = "unchecked"
    metrics: Metrics | None = None
    temperature: float = 1.0
    rules: Rules | None = None
    reference: ReferenceStatistics | None = None

    def __post_init__(self) -> None:
        check_fraction("margin", self.margin)
        check_fraction("passed_on", self.passed_on)
        check_positive("temperature", self.temperature)


class Preprocess(Strict, frozen=True):
    """How bytes become pixels, written out for those who port it to another language."""

    version: Literal[1] = 1
    decode: Literal["accurate-dct"] = "accurate-dct"
    orientation: Literal["exif-applied"] = "exif-applied"
    alpha: Literal["white"] = "white"
    resize: Literal["antialiased-bilinear", "plain-bilinear"] = "antialiased-bilinear"
    range: tuple[Literal[0], Literal[255]] = (0, 255)

    @classmethod
    def of(cls, input: InputSpec) -> "Preprocess":
        """The stages that lead to a model's input.

        Args:
            input: The model's input.
        """
        return cls(resize="plain-bilinear" if input.resize == "plain" else "antialiased-bilinear")


class Provenance(Strict, frozen=True):
    """Where a bundle comes from.

    Attributes:
        created: UTC time, ISO 8601.
        snapship: Version that wrote it.
        model: Architecture, or the source's file name.
        source_sha256: Hash of the full model's file.
        data_sha256: Hash of the training data, empty when unknown.
        calibration_images: Images that calibrated the int8 artifacts.
        versions: Packages that took part.
        input_range: Pixel range that the full model expects; the artifacts take raw pixels in any case.
    """

    created: str
    snapship: str
    model: str
    source_sha256: str
    data_sha256: str = ""
    calibration_images: int = 0
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    input_range: str = "0..255"


class GoldenRef(Strict, frozen=True):
    """The golden examples' index file and its hash."""

    file: str
    sha256: str


class Manifest(Strict, frozen=True):
    """A bundle's table of contents.

    Attributes:
        schema_version: Does not matter: it is read and written as the lowest that holds the content.
        name: The bundle's name.
        labels: Class names, in the order of the models' outputs.
        input: Size and channels of the pixels.
        artifacts: Its model files.
        provenance: Where it comes from.
        preprocess: How bytes become pixels.
        golden: Its golden examples.
        cascade: Two of the artifacts that answer as one; schema 2.
    """

    schema_version: Literal[1, 2]
    name: str
    labels: tuple[str, ...]
    input: InputSpec
    artifacts: tuple[Artifact, ...]
    provenance: Provenance
    preprocess: Preprocess = Preprocess()
    golden: GoldenRef | None = None
    cascade: Cascade | None = None


def encode_manifest(manifest: Manifest) -> bytes:
    """Encodes a manifest as the lowest schema that holds its content.

    Args:
        manifest: The manifest.
    """
    plain: dict[str, Any] = msgspec.to_builtins(manifest)
    plain["schema_version"] = _schema_of(manifest)
    for record, field in [(entry, field) for entry in plain["artifacts"] for field in _SECOND] + [
        (plain, "cascade")
    ]:
        if not record[field]:
            del record[field]
    return encode_json(plain)


def _schema_of(manifest: Manifest) -> Literal[1, 2]:
    """The lowest schema that holds its content."""
    used = any(getattr(entry, field) for entry in manifest.artifacts for field in _SECOND)
    return 2 if used or manifest.cascade else 1


class _Version(msgspec.Struct):
    """The one field that every past and future manifest has."""

    schema_version: int


def read_manifest(data: bytes, name: str = MANIFEST_FILE) -> Manifest:
    """Reads and validates a manifest.

    Args:
        data: The file's bytes.
        name: The file's name, for messages.

    Raises:
        BundleError: It is invalid; the message names the field.
    """
    version = decode_json(data, _Version, name).schema_version
    if not 1 <= version <= SCHEMA_VERSION:
        raise BundleError(
            f"{name} must have schema_version 1 to {SCHEMA_VERSION}. Received: {quoted(version)}. "
            "A newer snapship wrote it: update snapship on this device, then pull or open the bundle again."
        )
    manifest: Manifest = decode_json(data, Manifest, name)
    schema = _schema_of(manifest)
    if version < schema:
        raise BundleError(
            f"{name} must have schema_version 2 to hold rules, extra outputs, reference statistics or a cascade. "
            "Received: 1. Export the bundle again."
        )
    validated(manifest.labels, f"{name} labels")
    kinds = [artifact.kind for artifact in manifest.artifacts]
    files = [artifact.file for artifact in manifest.artifacts]
    if not kinds or len(set(kinds)) != len(kinds) or len(set(files)) != len(files):
        raise BundleError(
            f"{name} must list at least one artifact, each kind and file once. "
            f"Received: {quoted(kinds, 200)}. Export the bundle again."
        )
    if manifest.preprocess != Preprocess.of(manifest.input):
        raise BundleError(
            f"{name} must give the same resize twice. Received: input.resize "
            f"{manifest.input.resize}, preprocess.resize {manifest.preprocess.resize}. Export the bundle again."
        )
    for artifact in manifest.artifacts:
        _check_shapes(manifest, artifact, name)
        _check_said(artifact, artifact, len(manifest.labels), name)
    if manifest.cascade is not None:
        _check_cascade(manifest, manifest.cascade, name)
    return msgspec.structs.replace(manifest, schema_version=schema)


def _check_cascade(manifest: Manifest, cascade: Cascade, name: str) -> None:
    by_kind = {artifact.kind: artifact for artifact in manifest.artifacts}
    if cascade.kind in by_kind or len({cascade.first, cascade.second} & set(by_kind)) != 2:
        raise BundleError(
            f"{name} must list both artifacts of a cascade. Received: {quoted(cascade.kind)} of "
            f"{quoted(cascade.first)} and {quoted(cascade.second)}, artifacts {quoted(list(by_kind), 200)}. "
            "Export the bundle again."
        )
    _check_said(cascade, by_kind[cascade.first], len(manifest.labels), name)


def _check_said(entry: Artifact | Cascade, file: Artifact, classes: int, name: str) -> None:
    """Checks rules, which may read outputs of a file, and reference statistics."""
    place = f"{name}: {shortened(entry.kind)}"
    if entry.rules is not None:
        # A cascade's hash is that of its entry, and is compared where that is opened.
        own = entry.rules.model_sha256 if isinstance(entry, Cascade) else entry.sha256
        check_rules(entry.rules, own, [spec.name for spec in file.outputs], place)
    if entry.reference is not None:
        check_reference(entry.reference, classes, place)


def _check_shapes(manifest: Manifest, artifact: Artifact, name: str) -> None:
    if tuple(artifact.input.shape[1:]) != manifest.input.shape:
        raise BundleError(
            f"An artifact's input must be the bundle's input. Received: {name}: {shortened(artifact.kind)} "
            f"{quoted(list(artifact.input.shape))}, bundle {list(manifest.input.shape)}. Export again."
        )
    outputs = artifact.output.shape[-1] if artifact.output.shape else 0
    if not isinstance(outputs, int):
        raise BundleError(
            f"An artifact's output must have a fixed size. Received: {name}: {shortened(artifact.kind)} "
            f"{quoted(list(artifact.output.shape))}. Export again."
        )
    check_count(manifest.labels, outputs, name)
