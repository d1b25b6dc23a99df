"""From a full model to a bundle.

Stages::

    source  -> full model     loaded on TensorFlow, checked to be a classifier
    images  -> two tables     calibration images and judging images; never the same
    model   -> scores         of the judging images: classes in its order, and above chance
    model   -> files          converted once, then written as each kind
    files   -> repaired       int8 files, on the calibration images
    files   -> verdicts       each against the full model, on the judging images
    all     -> bundle         manifest, labels, golden examples, check.json, report.html
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import Artifact, Manifest, Preprocess
from edge_runtime.bundle.strict_json import encode_json
from edge_runtime.common.errors import DataError, ModelFileError, UsageError
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.engines.result import Float32Array
from exporter.bundle.bundle_files import (
    REPORT_FILE,
    bundle_in_making,
    check_writable,
    may_write,
    provenance,
    write_manifest,
)
from exporter.bundle.golden_files import replay_golden, write_golden
from exporter.config.export_config import Best, ExportConfig, pick, valid_name
from exporter.convert.builder import Builder
from exporter.convert.image_sets import Tables, bundle_labels, check_calibration, image_sets
from exporter.evidence.classes import check_classes
from exporter.evidence.record import DiagnosticOptions, RepairReport
from exporter.formats.kinds import Kind
from exporter.judge.judge_artifacts import Judgement, judge
from exporter.judge.run_artifacts import check_numbers
from exporter.judge.verdict import CHECK_FILE, CheckReport
from exporter.reference.resize_choice import resize_notes
from exporter.reference.usage_check import ReferenceUse, order_is_open, settle_reference, use_of_source
from exporter.repair.artifact_repair import ArtifactRepair
from exporter.report.report import render_report
from exporter.source.candidate import artifact_candidate
from exporter.source.full_model import FullModel, Source, check_path, find_source, load_source
from exporter.source.images import balanced
from exporter.source.scoring import full_scorer


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes:
        bundle: The bundle, open.
        unmade: Artifacts that could not be made, and are not in it: the error by kind.
        named: The kinds named one by one, :attr:`ExportConfig.named`.
    """

    bundle: Bundle
    unmade: Mapping[str, str]
    named: frozenset[str]

    def raise_for_unmade(self) -> None:
        """Raises an error if the bundle lacks an artifact that was named.

        Raises:
            ModelFileError: It does; the bundle is still written.
        """
        missing = [kind for kind in self.unmade if kind in self.named]
        if missing:
            raise ModelFileError(
                f"Every artifact that --artifacts names must be made. Received: {self.bundle.location} without "
                f"{', '.join(missing)} ({self.unmade[missing[0]].rstrip('.')}). "
                "Use the bundle as it is, or leave these out."
            )


def export(config: ExportConfig, progress: Progress | None = None) -> Bundle:
    """Writes a bundle from a full model.

    An artifact that cannot be made is left out; see :func:`export_bundle`, which names them.

    Args:
        config: What to export.
        progress: Progress callback.

    Returns:
        The bundle, open; the results of the check are in its manifest and ``check.json``.

    Raises:
        SnapshipError: As :func:`export_bundle`.
    """
    return export_bundle(config, progress).bundle


def export_bundle(config: ExportConfig, progress: Progress | None = None) -> Exported:
    """As :func:`export`, with the artifacts that could not be made.

    Args:
        config: What to export.
        progress: Progress callback.

    Raises:
        SnapshipError: The source, the data or an option is invalid, or no artifact could be made.
            Nothing is left behind, and an existing bundle is untouched.
        GateFailedError: ``best`` is set, and every artifact failed.
        InconclusiveError: ``best`` is set, none passed, and for some the images cannot tell.
    """
    tell = progress or no_progress
    out = Path(config.out)
    may_write(out, config.overwrite)
    check_path(out, "bundle")
    check_writable(out)
    source = find_source(config.source, labels=config.labels, fit=config.fit, resize=config.resize)
    if source.run is not None and config.input_range != "0..255":
        raise UsageError(
            f"A run's model takes raw pixels. Received: {source.run} and --input-range {config.input_range}. "
            "Leave --input-range out."
        )
    sets = image_sets(config, source)
    if any(kind.quantized for kind in config.kinds):
        check_calibration(sets.calibration)
    if config.best is not None and sets.judging is None:
        raise DataError(
            f"The best artifact is found on labelled images. Received: none, and {source.file} is no run folder. "
            "Pass --data."
        )
    tell("loading the full model", 0, 0)
    model = load_source(source, config.input_range)
    labels = bundle_labels(source, sets, model)
    if config.check and sets.judging is not None:
        check_classes(sets.judging.relabelled(labels), config.missing_classes)
    with ExitStack() as stack:
        folder = stack.enter_context(bundle_in_making(out))
        tables = Tables(sets, labels, model, config.calibration, stack, tell)
        open_order = source.labels is None and sets.judging is not None and order_is_open(sets.judging)
        use = use_of_source(source, config.input_range, open_order=open_order)
        unmade = _Export(config, source, model, labels, tables, folder, tell).run(use)
        # Another process may have written one meanwhile.
        may_write(out, config.overwrite)
    return Exported(Bundle.open(out), unmade, config.named)


class _Export:
    """One export, its inputs at hand."""

    def __init__(
        self,
        config: ExportConfig,
        source: Source,
        model: FullModel,
        labels: tuple[str, ...],
        tables: Tables,
        folder: Path,
        tell: Progress,
    ) -> None:
        self._config, self._source, self._model, self._labels = config, source, model, labels
        self._tables, self._folder, self._tell = tables, folder, tell
        self._name = config.name or _safe(source.name)
        self._files: dict[Kind, Path] = {}
        self._shipped: tuple[Kind, ...] = ()
        self._entries: Mapping[Kind, Artifact] = {}
        self._unmade: Mapping[str, str] = {}
        self._repairs: dict[str, RepairReport] = {}
        self._notes: tuple[str, ...] = ()

    def run(self, use: ReferenceUse) -> Mapping[str, str]:
        """Fills the folder.

        Args:
            use: How the full model is used.

        Returns:
            Why artifacts could not be made, by kind.
        """
        reference = self._scores_of_full_model(use)
        builder = Builder(
            self._model, self._name, self._labels, self._tables.calibrating, self._folder, self._tell
        )
        self._files, self._unmade = builder.make(self._config.kinds), builder.unmade
        self._entries = builder.load()
        self._shipped = tuple(self._files)
        judgement = self._judged(builder, reference)
        if judgement is not None and self._config.best is not None:
            judgement = self._only_the_best(judgement, self._config.best)
        self._tell("writing the bundle", 0, 0)
        manifest = self._manifest()
        write_manifest(self._folder, manifest)
        if judgement is not None:
            self._write_check(judgement, manifest)
        return self._unmade

    def _scores_of_full_model(self, use: ReferenceUse) -> Float32Array | None:
        """Scores the judging images before minutes of conversion, if anything depends on them.

        A bundle that is not checked still has class names, whose order may have to be found.
        """
        table = self._tables.judging
        if table is None or not (self._config.check or use.open_order):
            return None
        scorer = full_scorer(self._model)
        scores = scorer(table.pixels, self._tell, "scoring with the full model")
        check_numbers(scores, "the full model", str(self._source.file), table)
        weak = self._config.weak_reference if self._config.check else "allow"
        self._notes = settle_reference(scores, table, use, weak, self._tell)
        if self._config.check and self._config.evidence == "full":
            self._notes += resize_notes(scores, table, self._model.input, scorer, use, self._tell)
        for note in self._notes:
            self._tell(note, 0, 0)
        self._labels = table.images.labels
        self._tables.relabel(self._labels)
        return scores if self._config.check else None

    def _judged(self, builder: Builder, reference: Float32Array | None) -> Judgement | None:
        table = self._tables.judging if self._config.check else None
        repair = ArtifactRepair(self._config, self._model, self._labels, builder, self._tables, self._tell)
        repair.run()
        self._repairs = repair.reports()
        candidates = [
            artifact_candidate(
                kind.name, file, kind.format, file.stat().st_size, file.name, self._model.input
            )
            for kind, file in self._files.items()
        ]
        if table is None or reference is None or all(one.unusable for one in candidates):
            return None
        found = judge(
            candidates,
            reference,
            table,
            file=_relative(self._source.file, Path(self._config.out)),
            sha256=self._source.sha256,
            margin=self._config.margin,
            progress=self._tell,
            diagnostics=DiagnosticOptions() if self._config.evidence == "full" else DiagnosticOptions.quick(),
            missing_classes=self._config.missing_classes,
            input=self._model.input,
        )
        report = found.report.with_notes(self._notes).with_unmade(self._unmade)
        return replace(found, report=report.with_repairs(self._repairs, repair.calibrations()))

    def _only_the_best(self, judgement: Judgement, best: Best) -> Judgement:
        picked = pick(judgement.report.artifacts, best, self._config.margin)
        self._shipped = tuple(kind for kind in self._files if kind.name == picked)
        for kind, file in self._files.items():
            if kind.name != picked:
                file.unlink()
                if file.parent != self._folder:
                    file.parent.rmdir()
        return replace(judgement, report=judgement.report.with_pareto(picked))

    def _manifest(self) -> Manifest:
        files = {kind: self._files[kind] for kind in self._shipped}
        table = self._tables.judging
        golden = None
        if table is not None:
            examples = balanced(table.images, self._config.golden)
            golden = write_golden(self._folder, examples, self._model.input, files)
        return Manifest(
            schema_version=1,
            name=self._name,
            labels=self._labels,
            input=self._model.input,
            artifacts=tuple(self._described(kind) for kind in files),
            provenance=provenance(self._source, self._tables.calibrated, self._config.input_range),
            preprocess=Preprocess.of(self._model.input),
            golden=golden,
        )

    def _described(self, kind: Kind) -> Artifact:
        """With its repairs, which a bundle lists even if nothing was checked."""
        repair = self._repairs.get(kind.name)
        kept = () if repair is None else tuple(step.name for step in repair.kept)
        return msgspec.structs.replace(self._entries[kind], repairs=kept)

    def _write_check(self, judgement: Judgement, manifest: Manifest) -> None:
        """Replays the bundle as written, before its verdicts are written."""
        report = judgement.report.with_golden(replay_golden(Bundle.open(self._folder)))
        if self._config.best is not None:
            report.only([kind.name for kind in self._shipped]).raise_for_verdict()
        assert self._tables.judging is not None
        page = render_report(self._name, replace(judgement, report=report), self._tables.judging)
        (self._folder / REPORT_FILE).write_text(page, encoding="utf-8")
        kept = report.only([kind.name for kind in self._shipped])
        (self._folder / CHECK_FILE).write_bytes(encode_json(kept))
        entries = tuple(_with_verdict(entry, kept) for entry in manifest.artifacts)
        write_manifest(self._folder, msgspec.structs.replace(manifest, artifacts=entries))


def _with_verdict(entry: Artifact, report: CheckReport) -> Artifact:
    """An artifact that cannot run here stays unchecked."""
    found = report.artifacts.get(entry.kind)
    if found is None:
        return entry
    return msgspec.structs.replace(
        entry,
        verdict=found.verdict,
        metrics=found.metrics(report.n),
        temperature=1.0 if found.temperature is None else round(found.temperature.temperature, 4),
    )


def _relative(file: Path, out: Path) -> str:
    """The full model's path relative to the bundle, so that both can move together.

    Links are followed first: the way up from a linked folder is not the way down to it.
    """
    return Path(os.path.relpath(os.path.realpath(file), os.path.realpath(out))).as_posix()


def _safe(name: str) -> str:
    """A source's name in a form that every file system accepts."""
    kept = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "_" for sign in name)
    kept = kept.lstrip(".-")[:80]
    return kept if valid_name(kept) else "model"
