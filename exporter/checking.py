"""Checks a bundle, or any pair of model files, on labelled images."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from edge_runtime.bundle import Bundle, file_sha256
from edge_runtime.dataset import ImageSet, open_dataset
from edge_runtime.errors import ModelFileError, UsageError
from edge_runtime.spec import Fit
from exporter.exporting import Progress
from exporter.gate import DEFAULT_MARGIN, check_margin
from exporter.images import Chosen, PixelTable, choose_split, decode_table, run_images
from exporter.judging import Candidate, Judgement, judge
from exporter.kinds import KINDS
from exporter.report import render_report
from exporter.scoring import keras_scorer
from exporter.source import Source, find_source, load_source
from exporter.verdict import CHECK_FILE, CheckReport, saved_report
from trainer.run import MODEL_FILE, is_run


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        report: The numbers.
        page: The same as one HTML page.
    """

    report: CheckReport
    page: str


def check(
    bundle: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    reference: str | os.PathLike[str] | None = None,
    margin: float = DEFAULT_MARGIN,
    split: Chosen = "val",
    threads: int = 1,
    progress: Progress | None = None,
) -> CheckReport:
    """Compares every artifact of a bundle with the full model.

    Args:
        bundle: A folder or zip.
        data: Labelled images; None takes the run's val images.
        reference: The full model; None takes the one that the bundle was made from.
        margin: Largest top-1 drop that passes, in fractions of 1.
        split: Which images of ``data`` judge.
        threads: Threads of one inference.
        progress: Told how far it is.

    Returns:
        The report; its ``verdict`` is the worst of the artifacts'.

    Raises:
        SnapshipError: The bundle, the full model or the data is not as it must be.
    """
    return check_bundle(
        bundle, data=data, reference=reference, margin=margin, split=split, threads=threads, progress=progress
    ).report


def check_bundle(
    bundle: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    reference: str | os.PathLike[str] | None = None,
    margin: float = DEFAULT_MARGIN,
    split: Chosen = "val",
    threads: int = 1,
    progress: Progress | None = None,
) -> Checked:
    """As :func:`check`, with the page for people."""
    check_margin(margin)
    opened = Bundle.open(bundle)
    manifest = opened.manifest
    source = _reference(opened, reference)
    if data is not None:
        images = choose_split(open_dataset(data), split)
    elif source.run is not None:
        images = choose_split(run_images(source.run), split)
    else:
        raise UsageError(
            f"A check needs labelled images. Received: {os.fspath(bundle)}, whose full model {source.file} is "
            "no run folder, and no --data. Pass --data."
        )
    candidates = [
        Candidate(entry.kind, opened.model(entry), entry.format, _exact(entry.kind), entry.bytes)
        for entry in manifest.artifacts
    ]
    source = replace(source, labels=manifest.labels, fit=manifest.input.fit)
    return _run(
        manifest.name, candidates, source, images.relabelled(manifest.labels), margin, threads, progress
    )


def check_files(
    reference: str | os.PathLike[str],
    candidate: str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    labels: tuple[str, ...] | None = None,
    fit: Fit = "stretch",
    margin: float = DEFAULT_MARGIN,
    split: Chosen = "val",
    threads: int = 1,
    progress: Progress | None = None,
) -> Checked:
    """Compares one model file with a full model; both take raw pixels.

    Args:
        reference: A run folder, ``.keras`` or ``.h5`` file.
        candidate: A ``.tflite`` or ``.onnx`` file.
        data: Labelled images.
        labels: Class names in the order of the outputs; None takes the run's or the data's.
        fit: How images become the input's size; a run folder has its own.
        margin: Largest top-1 drop that passes, in fractions of 1.
        split: Which images of ``data`` judge.
        threads: Threads of one inference.
        progress: Told how far it is.

    Raises:
        SnapshipError: A model or the data is not as it must be.
    """
    check_margin(margin)
    file = Path(candidate)
    suffix = file.suffix.lower()
    if suffix not in (".tflite", ".onnx"):
        raise UsageError(f"A candidate must be a .tflite or .onnx file. Received: {file}. Pass one of these.")
    try:
        size = file.stat().st_size
    except OSError as error:
        raise ModelFileError(
            f"A model file must exist. Received: {file} ({error.strerror}). Check the path."
        ) from error
    if not file.is_file():
        raise ModelFileError(f"A model file must be a file. Received: {file}, a folder. Check the path.")
    if not size:
        raise ModelFileError(f"A model file must have content. Received: {file}, 0 bytes. Export it again.")
    source = find_source(reference, fit=fit)
    images = choose_split(open_dataset(data), split)
    names = labels or source.labels or images.labels
    source = replace(source, labels=names)
    # Nothing says how the candidate was quantized: its answers are judged, not its digits.
    one = Candidate(file.name, file, "tflite" if suffix == ".tflite" else "onnx", False, size)
    return _run(file.name, [one], source, images.relabelled(names), margin, threads, progress)


def _run(
    name: str,
    candidates: list[Candidate],
    source: Source,
    images: ImageSet,
    margin: float,
    threads: int,
    progress: Progress | None,
) -> Checked:
    tell: Progress = progress or (lambda step, done, total: None)
    tell("loading the full model", 0, 0)
    model = load_source(source)
    with ExitStack() as stack:
        table: PixelTable = stack.enter_context(
            decode_table(images, model.input, progress=lambda done, total: tell("decoding", done, total))
        )
        scores = keras_scorer(model)(
            table.pixels, lambda done, total: tell("scoring with the full model", done, total)
        )
        found: Judgement = judge(
            candidates,
            scores,
            table,
            file=source.file.as_posix(),
            sha256=source.sha256,
            margin=margin,
            threads=threads,
            progress=progress,
        )
        return Checked(found.report, render_report(name, found, table))


def _exact(kind: str) -> bool:
    return kind in KINDS and KINDS[kind].exact


def _reference(bundle: Bundle, named: str | os.PathLike[str] | None) -> Source:
    """The full model that the user names, or the one that the bundle was made from."""
    if named is not None:
        return find_source(named)
    rule, cure = "A check needs the full model.", "--reference with the run folder or .keras file"
    report = saved_report(bundle)
    if report is None:
        raise UsageError(
            f"{rule} Received: {bundle.location} without {CHECK_FILE}, which says where it is. Pass {cure}."
        )
    file = Path(os.path.normpath(Path(os.path.realpath(bundle.location)) / report.reference.file))
    if not file.is_file():
        raise UsageError(f"{rule} Received: no file {file}. Pass {cure}.")
    if file_sha256(file) != bundle.manifest.provenance.source_sha256:
        raise UsageError(f"{rule} Received: {file}, which has changed since. Export again, or pass {cure}.")
    in_run = file.name == MODEL_FILE and is_run(file.parent)
    return find_source(file.parent if in_run else file)
