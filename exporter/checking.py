"""Checks a bundle, or any pair of model files, on labelled images."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from edge_runtime.bundle import Bundle
from edge_runtime.dataset import ImageSet, open_dataset
from edge_runtime.errors import BundleError, UnknownNameError, UsageError
from edge_runtime.manifest import Artifact
from edge_runtime.spec import Fit, InputSpec, Resize
from exporter.demands import NO_DEMANDS, Demands, with_demands
from exporter.evidence.classes import MissingClasses, check_classes
from exporter.evidence.golden import replay_golden
from exporter.evidence.options import EvidenceOptions
from exporter.file_labels import labels_of_files
from exporter.foreign import ForeignModel, check_file, common_input, look_at, prepared
from exporter.gate import DEFAULT_MARGIN, check_margin
from exporter.images import Chosen, PixelTable, choose_split, decode_table, run_images
from exporter.input_range import InputRange, check_range
from exporter.judging import Candidate, Judgement, check_numbers, judge
from exporter.kinds import KINDS
from exporter.model_files import model_sha256
from exporter.openers import opener_of
from exporter.outcomes import Outcomes, outcomes_of
from exporter.own_input import pixels_of
from exporter.progress import Progress, step
from exporter.reference_use import use_of_bundle, use_of_file, use_of_run
from exporter.report import render_report
from exporter.resize_choice import resize_notes
from exporter.saved_source import is_saved_model
from exporter.scoring import Scorer, full_scorer
from exporter.source import Source, find_source, load_source
from exporter.verdict import CHECK_FILE, CheckReport, saved_report
from exporter.weak_reference import ReferenceUse, WeakReference, order_is_open, settle_reference
from trainer.run import MODEL_FILE, is_run, model_path, read_run


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        report: The numbers.
        outcomes: Which images each artifact named right, for a baseline.
        page: The report as one HTML page; None where none was asked for.
    """

    report: CheckReport
    outcomes: Outcomes
    page: str | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out about the models' outputs, in words."""
        return self.report.notes


@dataclass(frozen=True)
class _Terms:
    """How it is judged, whatever is judged."""

    margin: float
    threads: int
    demands: Demands
    quick: bool
    missing_classes: MissingClasses
    weak_reference: WeakReference
    page: bool
    resizes: bool

    def __post_init__(self) -> None:
        for option, received, known in (
            ("missing-classes", self.missing_classes, get_args(MissingClasses)),
            ("weak-reference", self.weak_reference, get_args(WeakReference)),
        ):
            if received not in known:
                raise UnknownNameError.of(option, str(received), known)


def check(
    bundle: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    reference: str | os.PathLike[str] | None = None,
    margin: float = DEFAULT_MARGIN,
    split: Chosen = "val",
    threads: int = 1,
    demands: Demands = NO_DEMANDS,
    quick: bool = False,
    missing_classes: MissingClasses = "error",
    weak_reference: WeakReference = "error",
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
        demands: What is asked beyond top-1.
        quick: Leave the slow evidence out; the verdict is the same.
        missing_classes: What a class without images means.
        weak_reference: What a full model that is no better than guessing on the images means.
        progress: Told how far it is.

    Returns:
        The report; its ``verdict`` is the worst of the artifacts'.

    Raises:
        SnapshipError: The bundle, the full model or the data is not as it must be.
    """
    return check_bundle(
        bundle, data=data, reference=reference, margin=margin, split=split, threads=threads,
        demands=demands, quick=quick, missing_classes=missing_classes, weak_reference=weak_reference,
        resizes=not quick, progress=progress,
    ).report  # fmt: skip


def check_bundle(
    bundle: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    reference: str | os.PathLike[str] | None = None,
    margin: float = DEFAULT_MARGIN,
    split: Chosen = "val",
    threads: int = 1,
    demands: Demands = NO_DEMANDS,
    quick: bool = False,
    missing_classes: MissingClasses = "error",
    weak_reference: WeakReference = "error",
    page: bool = False,
    resizes: bool = True,
    progress: Progress | None = None,
) -> Checked:
    """As :func:`check`, with the outcome of each image and, where ``page`` is set, the page for people.

    Where ``resizes`` is set, it also finds out which resize suits a full model of somebody else's.
    """
    check_margin(margin)
    terms = _Terms(margin, threads, demands, quick, missing_classes, weak_reference, page, resizes)
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
    candidates = [_of_bundle(opened, entry) for entry in manifest.artifacts]
    source = replace(source, labels=manifest.labels, fit=manifest.input.fit, resize=manifest.input.resize)
    _tell(progress)("loading the full model", 0, 0)
    # A run's model takes raw pixels, whatever the exported one took.
    taken = "0..255" if source.run else check_range(manifest.provenance.input_range)
    model = load_source(source, taken)
    full = _Full(full_scorer(model), model.input, source.file, source.sha256, use_of_bundle(source, taken))
    named = images.relabelled(manifest.labels)
    return _run(manifest.name, candidates, full, named, terms, progress, bundle=opened)


def check_files(
    reference: str | os.PathLike[str],
    candidate: str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    labels: tuple[str, ...] | None = None,
    fit: Fit | None = None,
    resize: Resize | None = None,
    input_range: InputRange = "0..255",
    reference_range: InputRange | None = None,
    margin: float = DEFAULT_MARGIN,
    split: Chosen = "val",
    threads: int = 1,
    demands: Demands = NO_DEMANDS,
    quick: bool = False,
    missing_classes: MissingClasses = "error",
    weak_reference: WeakReference = "error",
    page: bool = False,
    resizes: bool = True,
    progress: Progress | None = None,
) -> Checked:
    """Compares two model files of anybody's on the same images.

    Args:
        reference: A run folder, a ``.keras``, ``.h5``, ``.tflite`` or ``.onnx`` file, or a SavedModel.
        candidate: Another one of these.
        data: Labelled images.
        labels: Class names in the order of the outputs; None takes the run's or the data's.
        fit: How images become the input's size; None is ``stretch``, or what a run or bundle says.
        resize: How pixels of another size are made; None is ``antialiased``, or what a bundle says.
        input_range: What both files take for a pixel; a run folder takes raw pixels.
        reference_range: The same for the reference, where it differs.
        margin: Largest top-1 drop that passes, in fractions of 1.
        split: Which images of ``data`` judge.
        threads: Threads of one inference.
        demands: What is asked beyond top-1.
        quick: Leave the slow evidence out; the verdict is the same.
        missing_classes: What a class without images means.
        weak_reference: What a full model that is no better than guessing on the images means.
        page: Render the page for people, which takes about as long as the check of a small model.
        resizes: Find out which resize suits the reference.
        progress: Told how far it is.

    Raises:
        SnapshipError: A model or the data is not as it must be.
    """
    check_margin(margin)
    terms = _Terms(margin, threads, demands, quick, missing_classes, weak_reference, page, resizes)
    tell = _tell(progress)
    full, small = Path(reference), Path(candidate)
    # Before images are read and TensorFlow is loaded.
    for path in (small, full):
        if not is_run(path):
            check_file(path)
    fit, resize, own = pixels_of(full, small, fit, resize)
    images = choose_split(open_dataset(data), split)
    record = read_run(full) if is_run(full) else None
    tell("loading the full model", 0, 0)
    one = _look(full, reference_range or input_range)
    tell(f"loading {small.name}", 0, 0)
    two = _look(small, input_range)
    names = labels or (None if record is None else record.labels)
    notes: tuple[str, ...] = ()
    open_order = False
    if names is None:
        names, notes = labels_of_files(one, two, images)
        open_order = not names and order_is_open(images)
        names = names or images.labels
    spec = common_input(one, two, fit, resize)
    if len(names) != one.classes:
        told = "--labels" if labels else full if record is not None else images.source
        raise BundleError(
            f"Labels must match the models' outputs. Received: {len(names)} labels in {told}, {one.classes} "
            "outputs. Pass --labels FILE with a name for every output, in their order."
        )
    sides = prepared(one, spec), prepared(two, spec)
    notes += tuple(note for side in sides for note in side.notes)
    for note in notes:
        tell(note, 0, 0)
    use = use_of_run(full) if record is not None else use_of_file(one, spec, open_order, own=own)
    return _run(
        small.name, [sides[1].candidate()], _Full(sides[0].scorer(), spec, full, one.sha256, use),
        images.relabelled(names), terms, progress, notes=notes,
    )  # fmt: skip


@dataclass(frozen=True)
class _Full:
    """The full model, ready to score."""

    scorer: Scorer
    input: InputSpec
    file: Path
    sha256: str
    use: ReferenceUse


def _run(
    name: str,
    candidates: list[Candidate],
    full: _Full,
    images: ImageSet,
    terms: _Terms,
    progress: Progress | None,
    bundle: Bundle | None = None,
    notes: tuple[str, ...] = (),
) -> Checked:
    tell = _tell(progress)
    with ExitStack() as stack:
        table: PixelTable = stack.enter_context(
            decode_table(images, full.input, progress=step(tell, "decoding"))
        )
        # What costs nothing to find out comes before the scores.
        check_classes(table.images, terms.missing_classes)
        scores = full.scorer(table.pixels, step(tell, "scoring with the full model"))
        check_numbers(scores, "the full model", full.file.as_posix(), table)
        notes += settle_reference(scores, table, full.use, terms.weak_reference, tell)
        if terms.resizes:
            notes += resize_notes(scores, table, full.input, full.scorer, full.use, tell)
        found: Judgement = judge(
            candidates,
            scores,
            table,
            file=full.file.as_posix(),
            sha256=full.sha256,
            margin=terms.margin,
            threads=terms.threads,
            evidence=EvidenceOptions.quick() if terms.quick else None,
            missing_classes=terms.missing_classes,
            input=full.input,
            progress=progress,
        )
        if bundle is not None:
            tell("replaying golden examples", 0, 0)
            found = found.with_golden(replay_golden(bundle, threads=terms.threads))
            saved = saved_report(bundle)
            found = replace(found, report=found.report.with_unmade({} if saved is None else saved.unmade))
        found = with_demands(found.with_notes(notes), table, terms.demands)
        page = render_report(name, found, table) if terms.page else None
        return Checked(found.report, outcomes_of(found, table), page)


def _tell(progress: Progress | None) -> Progress:
    return progress or (lambda step, done, total: None)


def _look(path: Path, input_range: InputRange) -> ForeignModel:
    """A model file, or the one in a run folder, whose models take raw pixels."""
    return look_at(model_path(path), "0..255") if is_run(path) else look_at(path, input_range)


def _of_bundle(bundle: Bundle, entry: Artifact) -> Candidate:
    model = bundle.model(entry)
    opener = opener_of(entry.format, model, entry.file, bundle.manifest.input)
    return Candidate(entry.kind, model, entry.format, _exact(entry.kind), entry.bytes, opener)


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
    if not file.is_file() and not is_saved_model(file):
        raise UsageError(f"{rule} Received: no file {file}. Pass {cure}.")
    if model_sha256(file) != bundle.manifest.provenance.source_sha256:
        raise UsageError(f"{rule} Received: {file}, which has changed since. Export again, or pass {cure}.")
    in_run = file.name == MODEL_FILE and is_run(file.parent)
    return find_source(file.parent if in_run else file)
