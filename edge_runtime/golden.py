"""Golden examples: images in the bundle whose hashes and scores any device can replay.

Stages of a replay; the first that differs is reported::

    file    the encoded bytes       exact
    decode  the upright image       exact
    pixels  the model's input       exact
    scores  the model's output      within the artifact's tolerance

An engine whose kernels are not those that recorded the scores, such as tflite-micro, is compared with the
engine that shares them, and the differences allowed are those of :func:`same_kernels_tolerance`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from edge_runtime.bundle.bundle import Bundle, rule_files
from edge_runtime.bundle.cascade_entry import CascadeEntry, files_of
from edge_runtime.bundle.manifest import Artifact
from edge_runtime.bundle.strict_json import Strict, decode_json, encode_json
from edge_runtime.classifier import Classifier
from edge_runtime.common.errors import BundleError, SnapshipError
from edge_runtime.engines import Engine, usable
from edge_runtime.engines.opening import open_reference_of
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import UInt8Array, decoded, pixels

GOLDEN_FILE = "golden/golden.json"

Stage = Literal["file", "decode", "pixels", "model", "scores"]


class GoldenExample(Strict, frozen=True):
    """One golden example.

    Attributes:
        file: Path inside the bundle.
        sha256: Hash of the file.
        decoded_sha256: Hash of the upright image's bytes, before it is resized.
        pixels_sha256: Hash of the model's input, uint8 ``[height, width, channels]``.
        label: The true class.
        scores: Scores of every class, per artifact kind.
    """

    file: str
    sha256: str
    decoded_sha256: str
    pixels_sha256: str
    label: str
    scores: dict[str, tuple[float, ...]]


class Golden(Strict, frozen=True):
    """``golden/golden.json``.

    Attributes:
        schema_version: 1.
        tolerance: Largest allowed score difference, per artifact kind.
        examples: The images.
    """

    schema_version: Literal[1]
    tolerance: dict[str, float]
    examples: tuple[GoldenExample, ...]


@dataclass(frozen=True)
class Replay:
    """One example on one artifact.

    Attributes:
        artifact: Its kind.
        engine: The interpreter that ran it, or the reason why none did.
        file: The example's image.
        failed: The stage that differs, None when all agree.
        max_abs_dp: Largest score difference; None when no scores were made.
        tolerance: The largest allowed difference.
        detail: Description of the difference; empty when all agree.
        recorded_dp: For an engine that is compared with another one, the largest difference from the
            scores recorded at export; None otherwise.
    """

    artifact: str
    engine: str
    file: str
    failed: Stage | None
    max_abs_dp: float | None
    tolerance: float
    detail: str = ""
    recorded_dp: float | None = None


@dataclass(frozen=True)
class SelfTest:
    """Result of replaying all examples.

    Attributes:
        replays: One per example and artifact that an installed engine runs.
        skipped: Artifacts without an installed engine.
    """

    replays: tuple[Replay, ...]
    skipped: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether something was replayed and nothing differed."""
        return bool(self.replays) and all(replay.failed is None for replay in self.replays)


def image_hashes(data: bytes, spec: InputSpec) -> tuple[str, str]:
    """Hashes an image's stages: the upright image, and the model's input.

    Args:
        data: Encoded image.
        spec: The model's input.

    Returns:
        Two hashes of 64 hex digits.

    Raises:
        ImageError: The image cannot be used.
    """
    upright = decoded(data, spec.channels)
    return _sha256(upright.tobytes()), _sha256(pixels(data, spec).tobytes())


def same_kernels_tolerance(precision: str) -> float:
    """The largest score difference of two interpreters that share their kernels' arithmetic.

    Args:
        precision: The artifact's. The last softmax is in float32, so that hardly anything may differ;
            where 16-bit sums are scaled, one of them may round to the next step.
    """
    return 1e-3 if precision == "int16x8" else 1e-5


def read_golden(bundle: Bundle) -> Golden:
    """Reads a bundle's golden examples.

    Raises:
        BundleError: The bundle has none, or they do not follow the schema.
    """
    reference = bundle.manifest.golden
    if reference is None:
        raise BundleError(
            f"A self-test needs golden examples. Received: {bundle.location} without them. "
            "Export the bundle again with labelled images."
        )
    golden: Golden = decode_json(
        bundle.read(reference.file, reference.sha256), Golden, f"{bundle.location}/{reference.file}"
    )
    return golden


def golden_index(golden: Golden, *kinds: str) -> bytes:
    """The content of ``golden.json`` with the scores of some artifacts, for a bundle that has only those.

    Args:
        golden: All golden examples.
        kinds: Their kinds.
    """
    examples = tuple(
        msgspec.structs.replace(example, scores={k: v for k, v in example.scores.items() if k in kinds})
        for example in golden.examples
    )
    tolerance = {k: v for k, v in golden.tolerance.items() if k in kinds}
    return encode_json(msgspec.structs.replace(golden, tolerance=tolerance, examples=examples))


def verify_files(bundle: Bundle) -> int:
    """Verifies the hash of every file that the manifest and the golden examples name.

    Args:
        bundle: An open bundle.

    Returns:
        Number of verified files.

    Raises:
        BundleError: One is missing or changed.
    """
    bundle.verify()
    count = len(bundle.manifest.artifacts) + len(rule_files(bundle.manifest))
    if bundle.manifest.golden is not None:
        examples = read_golden(bundle).examples
        for example in examples:
            bundle.read(example.file, example.sha256)
        count += 1 + len(examples)
    return count


def selftest(
    bundle: Bundle, *, artifacts: Sequence[str] = (), engine: str = "auto", threads: int = 1
) -> SelfTest:
    """Replays the golden examples on this machine.

    Args:
        bundle: An open bundle.
        artifacts: Kinds to replay; empty means all. A cascade's parts are replayed with it.
        engine: ``auto`` or an engine's name.
        threads: Threads per inference.

    Returns:
        All replays; it does not stop at the first difference.

    Raises:
        BundleError: The bundle has no readable golden examples.
        UnknownNameError: The bundle has no such artifact.
    """
    golden = read_golden(bundle)
    named = [bundle.artifact(kind) for kind in artifacts] or list(bundle.entries)
    # Of a cascade, the examples may reach one part only: both are replayed by themselves as well.
    entries = {one.kind: one for entry in named for one in (*files_of(entry), entry)}.values()
    replays: list[Replay] = []
    skipped = []
    for entry in entries:
        if usable(entry.format, engine, entry.precision):
            replays += _replay_artifact(bundle, golden, entry, engine, threads)
        else:
            skipped.append(entry.kind)
    return SelfTest(tuple(replays), tuple(skipped))


def _replay_artifact(
    bundle: Bundle, golden: Golden, entry: Artifact, engine: str, threads: int
) -> Iterator[Replay]:
    with ExitStack() as stack:
        try:
            classifier = stack.enter_context(Classifier(bundle, entry, engine=engine, threads=threads))
        except SnapshipError as error:
            tolerance = golden.tolerance.get(entry.kind, 0.0)
            yield Replay(entry.kind, engine, entry.file, "model", None, tolerance, str(error))
            return
        # Outside the block above: a package that is missing is an error of its own, and no difference.
        reference = open_reference_of(bundle, entry, classifier.engine)
        if reference is not None:
            stack.callback(reference.close)
        for example in golden.examples:
            yield _replay_example(bundle, golden, example, classifier, reference)


def _replay_example(
    bundle: Bundle, golden: Golden, example: GoldenExample, classifier: Classifier, reference: Engine | None
) -> Replay:
    kind = classifier.artifact.kind
    tolerance = golden.tolerance.get(kind, 0.0)
    if reference is not None:
        tolerance = same_kernels_tolerance(classifier.artifact.precision)

    def finding(
        stage: Stage | None, detail: str = "", dp: float | None = None, recorded_dp: float | None = None
    ) -> Replay:
        return Replay(kind, classifier.engine, example.file, stage, dp, tolerance, detail, recorded_dp)

    try:
        data = bundle.read(example.file, example.sha256)
    except BundleError as error:
        return finding("file", str(error))
    stage, detail, array = _pixels_stage(data, example, bundle.manifest.input)
    if array is None:
        return finding(stage, detail)
    recorded = example.scores.get(kind)
    if recorded is not None and len(recorded) != len(classifier.labels):
        recorded = None
    expected = recorded if reference is None else reference.run(array)
    if expected is None:
        return finding("scores", f"golden.json holds no scores of {kind} for every label")
    found = classifier.scores(array)
    dp = _max_abs_dp(found, expected)
    if not dp <= tolerance:
        also = _other_part(classifier.artifact, example, len(classifier.labels), golden.tolerance)
        dp = min([dp, *(_max_abs_dp(found, scores) for scores in also)])
    # "not <=", so that a NaN is a finding.
    if stage is None and not dp <= tolerance:
        stage, detail = "scores", f"a score differs by {dp:.2g}, allowed {tolerance:.2g}"
    recorded_dp = None if reference is None or recorded is None else _max_abs_dp(found, recorded)
    return finding(stage, detail, dp, recorded_dp)


def _other_part(
    entry: Artifact, example: GoldenExample, classes: int, tolerance: dict[str, float]
) -> list[tuple[float, ...]]:
    """Of a cascade, the recorded scores of both parts if so little as is allowed to differ decides between them."""
    if not isinstance(entry, CascadeEntry):
        return []
    recorded = [example.scores.get(part.kind, ()) for part in entry.parts]
    if any(len(scores) != classes for scores in recorded) or classes < 2:
        return []
    best, next_best = sorted(recorded[0], reverse=True)[:2]
    # Each of the two scores may move by the tolerance of the first part.
    near = abs(best - next_best - entry.margin) <= 2 * tolerance.get(entry.parts[0].kind, 0.0)
    return recorded if near else []


def _max_abs_dp(found: Float32Array, expected: Float32Array | tuple[float, ...]) -> float:
    return float(np.max(np.abs(found - np.asarray(expected, dtype=np.float32))))


def _pixels_stage(
    data: bytes, example: GoldenExample, spec: InputSpec
) -> tuple[Stage | None, str, UInt8Array | None]:
    try:
        decoded_hash, pixels_hash = image_hashes(data, spec)
        array = pixels(data, spec)
    except SnapshipError as error:
        return "decode", str(error), None
    if decoded_hash != example.decoded_sha256:
        return "decode", "this machine's image library decodes to other values", array
    if pixels_hash != example.pixels_sha256:
        return "pixels", "this machine's image library resizes to other values", array
    return None, "", array


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
