"""A baseline: the last accepted result, so that a build fails if an artifact has got worse since.

The file belongs in version control. For each artifact it records which images were classified correctly,
one bit per image, so that a later check of the same images can be compared in pairs, by the bound of
the gate. Images are ordered by content, not by file name, so that rows match. The file contains no time
and no latency: accepting an unchanged result changes no byte.

::

    top-1 on these images did not fall       pass: no change or an improvement never fails
    a drop of the margin or more excluded    pass
    worse by more than the margin            fail
    else                                     inconclusive
    grew by more than allowed                fail, only with --growth
    in the baseline, no longer exported      fail: accept the new result
    exported, not in the baseline            noted
    not checked here, no engine              noted

The first line is a fact about these very images and guarantees nothing for others: with 100 images,
an artifact that is 2 points worse still wins as many as it loses in one case out of five (``python -m
benchmarks.gate_size``). A build that changes nothing must pass however few images there are; whether
an artifact is good enough at all is decided by the gate, in every check. The other verdicts are
statements about images like these.

Other images, or other classes of the same images, cannot be compared in pairs: that is an
error, never a silent comparison of two averages.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from edge_runtime.bundle.strict_json import Strict, decode_json
from edge_runtime.common.arrays import BoolArray
from edge_runtime.common.atomic_file import write_whole
from edge_runtime.common.errors import BundleError, UsageError
from edge_runtime.dataset import Item
from exporter.judge.baseline_report import BaselineReport, Change
from exporter.judge.judge_artifacts import Judgement
from exporter.judge.verdict import CheckReport
from exporter.source.images import PixelTable, set_sha256
from exporter.statistics.gate import GateVerdict, decide, overall, paired_interval

_SCHEMA = 1


class AcceptedArtifact(Strict, frozen=True):
    """An artifact as it was accepted.

    Attributes:
        agreement: Share of images with the full model's answer, 0..1.
        bytes: Size of its file.
        right: Which images it classified correctly, hex digits of :func:`pack`.
        top1: Its top-1, 0..1.
    """

    agreement: float
    bytes: int
    right: str
    top1: float


class Baseline(Strict, frozen=True):
    """The baseline file.

    Attributes:
        artifacts: By kind.
        data_sha256: Hash of the images' contents.
        n: Images.
        reference_top1: The full model's top-1, 0..1.
        schema_version: 1.
        truth_sha256: Hash of their true classes.
    """

    artifacts: dict[str, AcceptedArtifact]
    data_sha256: str
    n: int
    reference_top1: float
    schema_version: int
    truth_sha256: str


@dataclass(frozen=True)
class Outcomes:
    """Correct and wrong answers of every artifact.

    Attributes:
        data_sha256: Hash of the images' contents, as in ``check.json``.
        truth_sha256: Hash of their true classes by name, in the order of ``right``.
        right: By artifact, bool ``[n]``: whether the image is classified correctly, ordered by image
            content.
    """

    data_sha256: str
    truth_sha256: str
    right: Mapping[str, BoolArray]


def compare_with_baseline(
    baseline: Baseline,
    report: CheckReport,
    outcomes: Outcomes,
    *,
    name: str = "the baseline",
    growth: float | None = None,
) -> BaselineReport:
    """Compares a check with the accepted result.

    Args:
        baseline: The accepted result.
        report: The result of the check; its margin applies here too.
        outcomes: Which images were classified correctly.
        name: File of the baseline, for messages.
        growth: Largest growth of a file, as a share of its accepted size; None allows any.

    Raises:
        UsageError: The check was made on other images or classes.
        BundleError: The baseline's records do not belong to its images.
    """
    if not _same_images(baseline, outcomes) or baseline.n != report.n:
        same = baseline.data_sha256 == outcomes.data_sha256
        raise UsageError(
            f"A baseline needs the same images it was made with. Received: {name} of {baseline.n:,} images "
            f"{baseline.data_sha256[:12]}, this check of {report.n:,} images {outcomes.data_sha256[:12]}"
            f"{', with other classes' if same else ''}. "
            "Pass the same images, or make a new baseline with --accept."
        )
    changes = {
        kind: _change(accepted, report, outcomes, kind, baseline.n, growth)
        for kind, accepted in baseline.artifacts.items()
        if kind in report.artifacts
    }
    missing = [kind for kind in baseline.artifacts if kind not in report.artifacts]
    gone = tuple(kind for kind in missing if kind not in report.skipped)
    verdicts: list[GateVerdict] = [found.verdict for found in changes.values()]
    return BaselineReport(
        verdict=overall([*verdicts, "fail" if gone else "pass"]),
        margin=report.margin,
        artifacts=changes,
        added=tuple(kind for kind in report.artifacts if kind not in baseline.artifacts),
        gone=gone,
        skipped=tuple(kind for kind in missing if kind in report.skipped),
        reference_change=report.reference.top1 - baseline.reference_top1,
    )


def _change(
    accepted: AcceptedArtifact,
    report: CheckReport,
    outcomes: Outcomes,
    kind: str,
    n: int,
    growth: float | None,
) -> Change:
    found, now, before = report.artifacts[kind], outcomes.right[kind], unpack(accepted.right, n)
    lost, won = int(np.sum(before & ~now)), int(np.sum(~before & now))
    bound, upper = paired_interval(lost, won, n)
    # A fact about these very images: no bound is needed, and the wording says so.
    verdict: GateVerdict = "pass" if won >= lost else decide(lost, won, n, report.margin)
    points = f"{100 * report.margin:g} points"
    if won >= lost:
        change = "rose" if won > lost else "stayed"
        reason = f"top-1 on these {n:,} images {change}: {won:,} images won, {lost:,} lost"
    elif verdict == "pass":
        reason = f"a drop of {points} since the baseline is excluded: at most {-100 * bound:.2f} (95 %)"
    elif verdict == "fail":
        reason = f"it lost more than {points} since the baseline: at least {-100 * upper:.2f} (95 %)"
    else:
        reason = (
            f"it lost {100 * (lost - won) / n:.2f} points since the baseline; {n:,} images cannot tell whether "
            f"that is below {points}"
        )
    grown = found.bytes / accepted.bytes - 1.0
    if growth is not None and grown > growth:
        verdict = "fail"
        reason = f"its file grew by {100 * grown:.1f} %, more than the allowed {100 * growth:g} %; {reason}"
    return Change(
        verdict=verdict,
        reason=reason,
        delta=(won - lost) / n,
        bound=bound,
        lost=lost,
        won=won,
        agreement_change=found.agreement - accepted.agreement,
        bytes=found.bytes,
        growth=grown,
    )


def read_baseline(path: str | os.PathLike[str]) -> Baseline:
    """Reads a baseline file.

    Args:
        path: The file.

    Raises:
        UsageError: It does not exist or cannot be read.
        BundleError: It is damaged.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"A baseline must be a readable file. Received: {os.fspath(path)} ({error.strerror}). "
            "Make it with --accept."
        ) from error
    try:
        baseline: Baseline = decode_json(data, Baseline, os.fspath(path))
    except BundleError as error:
        # The cure in the schema error is about bundles.
        reason = str(error).partition(". Restore")[0]
        raise BundleError(f"{reason}. Restore the file, or make it again with --accept.") from error
    if (
        baseline.schema_version != _SCHEMA
        or baseline.n < 1
        or any(found.bytes < 1 for found in baseline.artifacts.values())
    ):
        raise BundleError(
            f"A baseline must be of schema {_SCHEMA}, with images and files. Received: schema "
            f"{baseline.schema_version}, {baseline.n} images in {os.fspath(path)}. Make it again with --accept."
        )
    return baseline


def _same_images(baseline: Baseline, outcomes: Outcomes) -> bool:
    return (baseline.data_sha256, baseline.truth_sha256) == (outcomes.data_sha256, outcomes.truth_sha256)


def write_baseline(
    path: str | os.PathLike[str], report: CheckReport, outcomes: Outcomes, last: Baseline | None = None
) -> None:
    """Writes the result of a check as accepted, atomically.

    Args:
        path: The file; replaced if it exists.
        report: The result of the check.
        outcomes: Which images were classified correctly.
        last: The previous baseline: artifacts that no installed engine can run here are kept from it,
            if the images are the same.

    Raises:
        UsageError: The file cannot be written.
    """
    artifacts = {
        kind: AcceptedArtifact(
            agreement=found.agreement,
            bytes=found.bytes,
            right=pack(outcomes.right[kind]),
            top1=found.top1,
        )
        for kind, found in report.artifacts.items()
    }
    if last is not None and _same_images(last, outcomes):
        artifacts |= {kind: last.artifacts[kind] for kind in report.skipped if kind in last.artifacts}
    baseline = Baseline(
        artifacts=artifacts,
        data_sha256=outcomes.data_sha256,
        n=report.n,
        reference_top1=report.reference.top1,
        schema_version=_SCHEMA,
        truth_sha256=outcomes.truth_sha256,
    )
    # Sorted keys: a diff in version control is a real change.
    text = msgspec.json.format(msgspec.json.encode(baseline, order="sorted"), indent=2)
    write_whole(Path(path), text + b"\n", "--baseline")


def outcomes_of(found: Judgement, table: PixelTable) -> Outcomes:
    """Collects the outcomes of a check.

    Args:
        found: The scores.
        table: The images they belong to.
    """
    order = content_order(table.images.items, table.images.labels)
    names = "\n".join(table.images.labels[table.truth[row]] for row in order)
    return Outcomes(
        data_sha256=set_sha256(table.images),
        truth_sha256=hashlib.sha256(names.encode()).hexdigest(),
        right={name: (scores.argmax(axis=1) == table.truth)[order] for name, scores in found.scores.items()},
    )


def content_order(items: Sequence[Item], labels: Sequence[str]) -> list[int]:
    """Rows by content; copies of one image under several classes by class.

    Args:
        items: The images.
        labels: Class names.
    """
    return sorted(range(len(items)), key=lambda row: (items[row].sha256, labels[items[row].label]))


def pack(right: BoolArray) -> str:
    """Packs correct answers as hex digits, four images each, the first image in the highest bit.

    Args:
        right: bool ``[n]``.
    """
    return np.packbits(right).tobytes().hex()


def unpack(packed: str, n: int) -> BoolArray:
    """Reverses :func:`pack`.

    Args:
        packed: Hex digits.
        n: Number of images.

    Raises:
        BundleError: It does not hold n images.
    """
    try:
        data = bytes.fromhex(packed)
    except ValueError:
        data = b""
    if len(data) != (n + 7) // 8:
        raise BundleError(
            f"A record of correct answers must hold one bit for each of {n} images. Received: {len(packed)} "
            "hex digits. Restore the file."
        )
    return np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=n).astype(bool)
