"""From a full model to a bundle.

Stages::

    source  -> full model     loaded on TensorFlow, checked to be a classifier
    images  -> two tables     those that calibrate, those that judge; never the same
    model   -> files          frozen once, then written as each kind
    files   -> verdicts       each against the full model, on the images that judge
    all     -> bundle         manifest, labels, golden examples, check.json, report.html
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from edge_runtime.bundle import Bundle
from edge_runtime.dataset import ImageSet, open_dataset
from edge_runtime.errors import BundleError, DataError, UsageError
from edge_runtime.manifest import Artifact, Manifest, Provenance, encode_json
from exporter.bundle_files import REPORT_FILE, bundle_in_making, describe, may_write, write_manifest
from exporter.config import ExportConfig, valid_name
from exporter.golden import write_golden
from exporter.images import (
    PixelTable,
    balanced,
    choose_split,
    decode_table,
    run_images,
    without_images_of,
)
from exporter.judging import Candidate, Judgement, judge
from exporter.kinds import Kind
from exporter.report import render_report
from exporter.scoring import keras_scorer
from exporter.source import FullModel, Source, find_source, load_source
from exporter.verdict import CHECK_FILE, CheckReport

_PACKAGES = ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert", "numpy", "pillow")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and how much there is; 0, 0 where unknown."""


def export(config: ExportConfig, progress: Progress | None = None) -> Bundle:
    """Writes a bundle from a full model.

    Args:
        config: What to export.
        progress: Told how far it is.

    Returns:
        The bundle, open; what the check found is in its manifest and ``check.json``.

    Raises:
        SnapshipError: The source, the data or an option is not as it must be. Nothing is
            left behind, and a bundle that was there is untouched.
    """
    tell = progress or (lambda step, done, total: None)
    out = Path(config.out)
    may_write(out, config.overwrite)
    source = find_source(config.source, labels=config.labels, fit=config.fit)
    name = config.name or _safe(source.name)
    sets = _sets(config, source)
    if any(kind.name == "tflite-int8" for kind in config.kinds):
        _check_calibration(sets.calibration)
    tell("loading the full model", 0, 0)
    model = load_source(source)
    labels = _labels(source, sets, model)
    with ExitStack() as stack:
        folder = stack.enter_context(bundle_in_making(out))
        tables = _Tables(sets, labels, model, config.calibration, stack, tell)
        files = _write_artifacts(folder, name, model, config.kinds, tables, tell)
        entries = [describe(kind, file) for kind, file in files.items()]
        examples = ImageSet("", labels, (), lambda item: b"")
        judgement: Judgement | None = None
        if config.check and tables.judging is not None:
            judgement = _judge(config, source, model, files, tables.judging, out, tell)
            entries = [_judged(entry, judgement.report) for entry in entries]
        if tables.judging is not None:
            examples = balanced(tables.judging.images, config.golden)
        tell("writing the bundle", 0, 0)
        golden = write_golden(folder, examples, model.input, files)
        manifest = Manifest(
            schema_version=1,
            name=name,
            labels=labels,
            input=model.input,
            artifacts=tuple(entries),
            provenance=_provenance(source, tables.calibrated),
            golden=golden,
        )
        write_manifest(folder, manifest)
        if judgement is not None:
            (folder / CHECK_FILE).write_bytes(encode_json(judgement.report))
            assert tables.judging is not None
            page = render_report(name, judgement, tables.judging)
            (folder / REPORT_FILE).write_text(page, encoding="utf-8")
    return Bundle.open(out)


@dataclass(frozen=True)
class _Sets:
    """Image sets before anything is decoded; None where there is no data."""

    calibration: ImageSet | None
    judging: ImageSet | None


def _sets(config: ExportConfig, source: Source) -> _Sets:
    """Decides which images calibrate and which judge; the two share no content."""
    if config.data is not None:
        opened = open_dataset(config.data)
        if config.calibration_data is None:
            judging = choose_split(opened, "val")
            calibration = opened.only("train")
        else:
            judging, calibration = opened, open_dataset(config.calibration_data)
    elif source.run is not None:
        images = run_images(source.run)
        judging = choose_split(images, "val")
        calibration = images.only("train")
        if config.calibration_data is not None:
            calibration = open_dataset(config.calibration_data)
    elif config.calibration_data is not None:
        return _Sets(open_dataset(config.calibration_data), None)
    else:
        return _Sets(None, None)
    return _Sets(without_images_of(calibration, judging), judging)


def _check_calibration(images: ImageSet | None) -> ImageSet:
    """Asked before the full model is loaded, and again where the images are used."""
    if images is None or not len(images):
        where = "" if images is None else f" in {images.source}"
        raise DataError(
            f"int8 artifacts need calibration images that do not judge. Received: none{where}. Pass "
            "--calibration-data with real images, or leave the int8 artifacts out with --artifacts."
        )
    return images


def _labels(source: Source, sets: _Sets, model: FullModel) -> tuple[str, ...]:
    """The run's, the labels file's, or the data's, in this order."""
    if source.labels is not None:
        return source.labels
    if sets.judging is None:
        raise UsageError(
            f"A bundle needs class names. Received: {source.file} and neither --labels nor --data. "
            "Pass --labels FILE with one name a line."
        )
    if len(sets.judging.labels) != model.classes:
        raise BundleError(
            f"Labels must match the model's outputs. Received: {len(sets.judging.labels)} classes in "
            f"{sets.judging.source}, {model.classes} outputs. Pass --labels."
        )
    return sets.judging.labels


class _Tables:
    """Decoded images, made when they are first needed."""

    def __init__(
        self,
        sets: _Sets,
        labels: tuple[str, ...],
        model: FullModel,
        calibration: int,
        stack: ExitStack,
        tell: Progress,
    ) -> None:
        self.judging: PixelTable | None = None
        self.calibrated = 0
        self._sets, self._model, self._count = sets, model, calibration
        self._stack, self._tell = stack, tell
        if sets.judging is not None:
            named = sets.judging.relabelled(labels)
            self.judging = stack.enter_context(
                decode_table(named, model.input, progress=_step(tell, "decoding images that judge"))
            )

    def calibration(self) -> PixelTable:
        chosen = balanced(_check_calibration(self._sets.calibration), self._count)
        table = self._stack.enter_context(
            decode_table(chosen, self._model.input, progress=_step(self._tell, "decoding calibration images"))
        )
        self.calibrated = len(table.truth)
        return table


def _write_artifacts(
    folder: Path, name: str, model: FullModel, kinds: tuple[Kind, ...], tables: _Tables, tell: Progress
) -> dict[Kind, Path]:
    from exporter.freeze import freeze
    from exporter.onnx_file import convert_onnx
    from exporter.tflite import calibrate, convert_fp32, quantize

    frozen = freeze(model) if any(kind.format == "tflite" for kind in kinds) else None
    files: dict[Kind, Path] = {}
    for kind in kinds:
        if kind.name == "tflite-int8":
            pixels = tables.calibration().pixels
            tell(f"calibrating {kind.name} on {len(pixels)} images", 0, 0)
            data = quantize(calibrate(frozen, pixels))
        else:
            tell(f"converting to {kind.name}", 0, 0)
            data = convert_fp32(frozen) if kind.format == "tflite" else convert_onnx(model)
        files[kind] = folder / kind.file(name)
        files[kind].write_bytes(data)
    return files


def _judge(
    config: ExportConfig,
    source: Source,
    model: FullModel,
    files: dict[Kind, Path],
    table: PixelTable,
    out: Path,
    tell: Progress,
) -> Judgement:
    reference = keras_scorer(model)(table.pixels, _step(tell, "scoring with the full model"))
    candidates = [
        Candidate(kind.name, file, kind.format, kind.exact, file.stat().st_size)
        for kind, file in files.items()
    ]
    return judge(
        candidates,
        reference,
        table,
        file=_relative(source.file, out),
        sha256=source.sha256,
        margin=config.margin,
        progress=tell,
    )


def _judged(entry: Artifact, report: CheckReport) -> Artifact:
    found = report.artifacts[entry.kind]
    return msgspec.structs.replace(entry, verdict=found.verdict, metrics=found.metrics(report.n))


def _provenance(source: Source, calibrated: int) -> Provenance:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        snapship=_own_version(),
        model=source.architecture,
        source_sha256=source.sha256,
        data_sha256="" if source.record is None else source.record.data_sha256,
        calibration_images=calibrated,
        versions=versions,
    )


def _own_version() -> str:
    try:
        return version("snapship")
    except PackageNotFoundError:
        return "0+unknown"


def _relative(file: Path, out: Path) -> str:
    """The full model's place as seen from the bundle, so that both can move together.

    Links are followed first: the way up from a linked folder is not the way down to it.
    """
    return Path(os.path.relpath(os.path.realpath(file), os.path.realpath(out))).as_posix()


def _safe(name: str) -> str:
    """A source's name as one that every file system takes."""
    kept = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "_" for sign in name)
    kept = kept.lstrip(".-")[:80]
    return kept if valid_name(kept) else "model"


def _step(tell: Progress, step: str) -> Callable[[int, int], None]:
    return lambda done, total: tell(step, done, total)
