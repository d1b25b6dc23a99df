"""What a check compares, ready to score: the artifacts of a bundle, or two model files, and the images."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.errors import BundleError, UsageError
from edge_runtime.common.progress import Progress
from edge_runtime.dataset import ImageSet, open_dataset
from edge_runtime.image.input_spec import InputSpec
from exporter.config.check_config import CheckConfig
from exporter.judge.saved_report import saved_report
from exporter.judge.verdict import CHECK_FILE
from exporter.reference.usage_check import (
    ReferenceUse,
    order_is_open,
    use_of_bundle,
    use_of_file,
    use_of_run,
)
from exporter.source.candidate import Candidate, bundle_candidates
from exporter.source.decoding_ahead import DecodingAhead
from exporter.source.external import (
    check_file,
    common_input,
    external_candidate,
    labels_of_files,
    look_at,
    prepared,
    scorer_of,
)
from exporter.source.full_model import Source, find_source, load_source, read_labels
from exporter.source.images import PixelTable, choose_split, decode_table, run_images
from exporter.source.input_range import InputRange, check_range, pixels_of
from exporter.source.loaded_model import LoadedModel
from exporter.source.scoring import Scorer, full_scorer
from exporter.source.tensorflow_file import is_saved_model
from exporter.unlabelled.photos import open_unlabelled
from exporter.workers.sent_models import BundleModels, FileModels, SentFile, SentModels
from trainer.run.run_json import MODEL_FILE, is_run, model_path, read_run


@dataclass(frozen=True)
class ReadyModel:
    """The full model, ready to score."""

    scorer: Scorer
    input: InputSpec
    file: Path
    sha256: str
    use: ReferenceUse


@dataclass(frozen=True)
class Subject:
    """The subject of a check, ready to score.

    Attributes:
        name: For the report.
        candidates: The artifacts to judge.
        full: The full model.
        images: The judging images; those without labels have one class that means nothing.
        labels: The class names, in the order of the models' outputs.
        models: How a worker opens the full model and the artifacts.
        notes: Findings about the models' outputs, in words.
        bundle: The bundle of the candidates; None for a single file.
        ahead: The images, being decoded; None where they are decoded when they are needed.
    """

    name: str
    candidates: list[Candidate]
    full: ReadyModel
    images: ImageSet
    labels: tuple[str, ...]
    models: SentModels
    notes: tuple[str, ...] = ()
    bundle: Bundle | None = None
    ahead: DecodingAhead | None = None

    def decoded(self, progress: Progress) -> PixelTable:
        """The images as a table, which the caller closes.

        Args:
            progress: Progress callback.

        Raises:
            DataError: More than a twentieth or a whole class does not decode.
        """
        if self.ahead is not None and self.ahead.spec == self.full.input:
            return self.ahead.result(progress)
        # No bundle, whose manifest tells the size before the model is loaded; or a full model of another size.
        self.close()
        return decode_table(self.images, self.full.input, progress=progress)

    def close(self) -> None:
        """Stops decoding what nobody asked for."""
        if self.ahead is not None:
            self.ahead.close()


def subject_of(config: CheckConfig, progress: Progress, *, labelled: bool = True) -> Subject:
    """Opens what a configuration names.

    Args:
        config: A bundle, or a candidate and its reference.
        progress: Progress callback.
        labelled: Whether the data has labels; otherwise it is a folder of photos.

    Returns:
        The subject, which the caller closes.

    Raises:
        SnapshipError: The bundle, a model or the data is invalid.
    """
    of = _bundle_of if config.candidate is None else _files_of
    return of(config, progress, labelled)


def _bundle_of(config: CheckConfig, progress: Progress, labelled: bool) -> Subject:
    """A bundle's artifacts and their full model."""
    assert config.bundle is not None
    opened = Bundle.open(config.bundle)
    manifest = opened.manifest
    source = _reference(opened, config.reference)
    if config.data is not None:
        images = _images(config.data, config, labelled)
    elif source.run is not None:
        images = choose_split(run_images(source.run), config.split)
    else:
        raise UsageError(
            f"A check needs labelled images. Received: {os.fspath(config.bundle)}, whose full model {source.file} "
            "is not a run folder, and no --data. Pass --data."
        )
    candidates = bundle_candidates(opened)
    source = replace(source, labels=manifest.labels, fit=manifest.input.fit, resize=manifest.input.resize)
    # A run's model takes raw pixels, whatever range the export used.
    taken = "0..255" if source.run else check_range(manifest.provenance.input_range)
    if labelled:
        images = images.relabelled(manifest.labels)
    # A sequential check decodes what it needs.
    ahead = None if config.sequential else DecodingAhead(images, manifest.input)
    try:
        progress("loading the full model", 0, 0)
        model = load_source(source, taken)
        use = use_of_bundle(source, taken)
        full = ReadyModel(full_scorer(model), model.input, source.file, source.sha256, use)
    except BaseException:
        if ahead is not None:
            ahead.close()
        raise
    models = BundleModels(Path(opened.location), replace(source, run=None, record=None), taken)
    return Subject(
        manifest.name, candidates, full, images, manifest.labels, models, bundle=opened, ahead=ahead
    )


def _images(data: str | os.PathLike[str], config: CheckConfig, labelled: bool) -> ImageSet:
    return choose_split(open_dataset(data), config.split) if labelled else open_unlabelled(data)


def _files_of(config: CheckConfig, progress: Progress, labelled: bool) -> Subject:
    """Two model files."""
    assert config.candidate is not None
    assert config.reference is not None
    assert config.data is not None
    taken: InputRange = config.input_range or "0..255"
    given = None if config.labels is None else read_labels(config.labels)
    full, small = Path(config.reference), Path(config.candidate)
    # Before images are read and TensorFlow is loaded.
    for path in (small, full):
        if not is_run(path):
            check_file(path)
    fit, resize, own = pixels_of(full, small, config.fit, config.resize)
    images = _images(config.data, config, labelled)
    record = read_run(full) if is_run(full) else None
    progress("loading the full model", 0, 0)
    one = _look(full, config.reference_range or taken)
    progress(f"loading {small.name}", 0, 0)
    two = _look(small, taken)
    names = given or (None if record is None else record.labels)
    notes: tuple[str, ...] = ()
    open_order = False
    if names is None:
        # Photos without labels contradict no names, and suggest none.
        names, notes = labels_of_files(one, two, images if labelled else replace(images, items=()))
        if not names and not labelled:
            raise UsageError(
                f"Photos without labels need class names. Received: none in {full} and {small}. Pass --labels FILE "
                "with one name per line, in the order of the outputs."
            )
        open_order = not names and order_is_open(images)
        names = names or images.labels
    spec = common_input(one, two, fit, resize)
    if len(names) != one.classes:
        origin = "--labels" if given else full if record is not None else images.source
        raise BundleError(
            f"Labels must match the models' outputs. Received: {len(names)} labels in {origin}, {one.classes} "
            "outputs. Pass --labels FILE with a name for every output, in their order."
        )
    sides = prepared(one, spec), prepared(two, spec)
    notes += tuple(note for side in sides for note in side.notes)
    for note in notes:
        progress(note, 0, 0)
    use = use_of_run(full) if record is not None else use_of_file(one, spec, open_order, own=own)
    if labelled:
        images = images.relabelled(names)
    ready = ReadyModel(scorer_of(sides[0]), spec, full, one.sha256, use)
    models = FileModels(SentFile.of(one), SentFile.of(two), spec)
    return Subject(small.name, [external_candidate(sides[1])], ready, images, names, models, notes)


def _look(path: Path, input_range: InputRange) -> LoadedModel:
    """A model file, or the one in a run folder, whose models take raw pixels."""
    return look_at(model_path(path), "0..255") if is_run(path) else look_at(path, input_range)


def _reference(bundle: Bundle, named: str | os.PathLike[str] | None) -> Source:
    """The full model given by the user, or the one the bundle was made from."""
    if named is not None:
        return find_source(named)
    rule, cure = "A check needs the full model.", "--reference with the run folder or .keras file"
    report = saved_report(bundle)
    if report is None:
        raise UsageError(
            f"{rule} Received: {bundle.location} without {CHECK_FILE}, which records its location. Pass {cure}."
        )
    file = Path(os.path.normpath(Path(os.path.realpath(bundle.location)) / report.reference.file))
    if not file.is_file() and not is_saved_model(file):
        raise UsageError(f"{rule} Received: no file {file}. Pass {cure}.")
    in_run = file.name == MODEL_FILE and is_run(file.parent)
    source = find_source(file.parent if in_run else file)
    if source.sha256 != bundle.manifest.provenance.source_sha256:
        raise UsageError(f"{rule} Received: {file}, which has changed since. Export again, or pass {cure}.")
    return source
