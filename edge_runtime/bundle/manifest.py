"""``manifest.json``: how a bundle describes itself, as strict structs.

Reading rejects unknown, missing and mistyped fields and names them; writing gives
the same bytes for the same content. The runtime's configuration is this file.
"""

# No "from __future__ import annotations": msgspec would compile each again when a bundle is first read (1 ms).
import math
from typing import Any, Literal

import msgspec

from edge_runtime.bundle.labels import check_count, validated
from edge_runtime.common.errors import BundleError
from edge_runtime.common.text import as_utf8, quoted, shortened
from edge_runtime.image.input_spec import InputSpec

MANIFEST_FILE = "manifest.json"
SCHEMA_VERSION = 1

Format = Literal["tflite", "onnx", "saved-model", "coreml", "c-array"]
"""The file format of an artifact; only ``tflite`` and ``onnx`` files run on this package's engines."""

Verdict = Literal["pass", "fail", "inconclusive", "unchecked"]
Dtype = Literal["float32", "uint8"]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A struct that rejects unknown fields."""


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
        latency_ms: Median of one inference with one thread, on the machine that checked.
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

    def __post_init__(self) -> None:
        if not 0.0 < self.temperature < math.inf:
            raise ValueError(f"temperature must be a positive number. Received: {self.temperature}")
        if self.bytes < 0:
            raise ValueError(f"bytes must not be negative. Received: {self.bytes}")


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
    versions: dict[str, str] = {}
    input_range: str = "0..255"


class GoldenRef(Strict, frozen=True):
    """The golden examples' index file and its hash."""

    file: str
    sha256: str


class Manifest(Strict, frozen=True):
    """A bundle's table of contents."""

    schema_version: Literal[1]
    name: str
    labels: tuple[str, ...]
    input: InputSpec
    artifacts: tuple[Artifact, ...]
    provenance: Provenance
    preprocess: Preprocess = Preprocess()
    golden: GoldenRef | None = None


def decode_json(data: bytes, kind: type[Any], name: str) -> Any:
    """Decodes JSON strictly.

    Args:
        data: The file's bytes.
        kind: The struct to decode into.
        name: The file's name, for messages.

    Raises:
        BundleError: It is not JSON, or a field is unknown, missing or mistyped.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BundleError(
            f"{name} must follow its schema. Received: {shortened(error, 200)}. "
            "Restore the file or export the bundle again."
        ) from error


def encode_json(record: msgspec.Struct) -> bytes:
    """Encodes a struct as indented JSON that ends with a line break; paths that are not UTF-8 are escaped."""
    try:
        text = msgspec.json.encode(record)
    except UnicodeEncodeError:
        text = msgspec.json.encode(_as_utf8(msgspec.to_builtins(record)))
    return msgspec.json.format(text, indent=2) + b"\n"


def _as_utf8(value: Any) -> Any:
    """Plain values with every text in them as UTF-8."""
    if isinstance(value, str):
        return as_utf8(value)
    if isinstance(value, dict):
        return {_as_utf8(key): _as_utf8(entry) for key, entry in value.items()}
    return [_as_utf8(entry) for entry in value] if isinstance(value, list | tuple) else value


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
    if version != SCHEMA_VERSION:
        raise BundleError(
            f"{name} must have schema_version {SCHEMA_VERSION}. Received: {quoted(version)}. "
            "Install the snapship version that wrote it, or export again."
        )
    manifest: Manifest = decode_json(data, Manifest, name)
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
    return manifest


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
