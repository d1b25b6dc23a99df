"""From a full model to a bundle.

Stages::

    source  -> full model     loaded on TensorFlow, checked to be a classifier
    images  -> two tables     calibration images and judging images; never the same
    model   -> scores         of the judging images: classes in its order, and above chance
    model   -> files          converted once, then written as each kind
    files   -> repaired       int8 files, on the calibration images
    files   -> verdicts       each against the full model, on the judging images
    scores  -> rules          of each artifact, if asked for: when its answers may be believed
    all     -> bundle         manifest, labels, golden examples, check.json, report.html
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import Artifact
from edge_runtime.common.errors import DataError, ModelFileError, UsageError
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.engines.result import Float32Array
from exporter.bundle.bundle_files import bundle_in_making, check_writable, may_write, provenance
from exporter.cascade.making import MadeCascade, make_cascade
from exporter.cascade.worth import why_not, without
from exporter.config.export_config import Best, Evidence, ExportConfig, pick, valid_name
from exporter.convert.builder import Builder
from exporter.convert.image_sets import Tables, bundle_labels, check_calibration, image_sets
from exporter.evidence.classes import check_classes
from exporter.evidence.record import DiagnosticOptions, RepairReport
from exporter.exported import Exported
from exporter.formats.kinds import CASCADE, Kind
from exporter.judge.judge_artifacts import Judgement, judge
from exporter.judge.run_artifacts import check_numbers
from exporter.known_rules import KnownRules
from exporter.reference.resize_choice import resize_notes
from exporter.reference.usage_check import ReferenceUse, order_is_open, settle_reference, use_of_source
from exporter.repair.artifact_repair import ArtifactRepair
from exporter.rules.fitting import FittedRules, fit_artifacts
from exporter.shipping import Shipment, write_shipment
from exporter.source.candidate import artifact_candidate
from exporter.source.full_model import FullModel, Source, check_path, find_source, load_source
from exporter.source.images import PixelTable
from exporter.source.scoring import full_scorer
from trainer.run.run_json import read_data

_DIAGNOSTICS: dict[Evidence, DiagnosticOptions] = {
    "quick": DiagnosticOptions.quick(),
    "standard": DiagnosticOptions.standard(),
    "full": DiagnosticOptions(),
}

_LEFT_OUT = (
    "other engines and thread counts, the preprocessing of other libraries, clipped activations and fewer calibration "
    "images. For all of these, export with --evidence full; snapship check --report measures all but the last two."
)

_MORE_EVIDENCE: dict[Evidence, str] = {
    "quick": "Not measured, as it affects no verdict: the step and the layer in which answers change, which resize "
    f"suits a model file, {_LEFT_OUT}",
    "standard": f"Not measured, as it affects no verdict: {_LEFT_OUT}",
    "full": "",
}
"""What a report lacks, and how to get it."""


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
    for what, asked in (
        ("The best artifact is found", config.best is not None),
        ("A cascade is judged", config.cascade),
        ("Rules are made", bool(config.rules)),
    ):
        if asked and sets.judging is None:
            raise DataError(
                f"{what} on labelled images. Received: none, and {source.file} is no run folder. Pass --data."
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
        unmade, unmet = _Export(config, source, model, labels, tables, folder, tell).run(use)
        # Another process may have written one meanwhile.
        may_write(out, config.overwrite)
    return Exported(Bundle.open(out), unmade, config.named, unmet)


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
        self._cascade: MadeCascade | None = None
        self._known: KnownRules | None = None

    def run(self, use: ReferenceUse) -> tuple[Mapping[str, str], Mapping[str, tuple[str, ...]]]:
        """Fills the folder.

        Args:
            use: How the full model is used.

        Returns:
            Why artifacts could not be made, and why rules could not, each by kind.
        """
        reference = self._scores_of_full_model(use)
        builder = Builder(
            self._model, self._name, self._labels, self._tables.calibrating, self._folder, self._tell
        )
        self._files, self._unmade = builder.make(self._config.kinds), builder.unmade
        self._entries = builder.load()
        self._shipped = tuple(self._files)
        judgement = self._judged(builder, reference)
        fitted: Mapping[str, FittedRules] = {}
        if judgement is not None:
            if self._config.best is not None:
                judgement = self._only_the_best(judgement, self._config.best)
            judgement, fitted = self._rules(judgement)
        self._tell("writing the bundle", 0, 0)
        write_shipment(self._shipment(fitted), judgement)
        unmet = {kind: tuple(one.report.unmet()) for kind, one in fitted.items()}
        return self._unmade, {kind: reasons for kind, reasons in unmet.items() if reasons}

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
        if self._config.check and self._config.evidence != "quick":
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
        if table is not None and self._config.unknown is not None:
            self._known = KnownRules(self._config.unknown, table, self._tables, self._tell)
            self._known.add_features(builder, tuple(self._files))
        candidates = [
            artifact_candidate(
                kind.name, file, kind.format, file.stat().st_size, file.name, self._model.input
            )
            for kind, file in self._files.items()
        ]
        if self._config.cascade:
            self._make_cascade(repair)
            candidates += [] if self._cascade is None else [self._cascade.candidate]
        if table is None or reference is None or all(one.unusable for one in candidates):
            return None
        if self._known is not None:
            self._known.judges(candidates)
        found = judge(
            candidates,
            reference,
            table,
            file=_relative(self._source.file, Path(self._config.out)),
            sha256=self._source.sha256,
            margin=self._config.margin,
            progress=self._tell,
            diagnostics=_DIAGNOSTICS[self._config.evidence],
            missing_classes=self._config.missing_classes,
            input=self._model.input,
        )
        if self._cascade is not None and (reason := why_not(found.report)):
            self._unmade = {**self._unmade, CASCADE: reason}
            self._cascade, found = None, without(found, CASCADE, table)
        report = found.report.with_notes(self._notes).with_unmade(self._unmade)
        return replace(found, report=report.with_repairs(self._repairs, repair.calibrations()))

    def _make_cascade(self, repair: ArtifactRepair) -> None:
        try:
            self._cascade = make_cascade(self._files, repair, self._tell)
        except ModelFileError as error:
            self._unmade = {**self._unmade, CASCADE: str(error)}

    def _only_the_best(self, judgement: Judgement, best: Best) -> Judgement:
        picked = pick(judgement.report.artifacts, best, self._config.margin)
        self._shipped = tuple(kind for kind in self._files if kind.name == picked)
        for kind, file in self._files.items():
            if kind.name != picked:
                file.unlink()
                if file.parent != self._folder:
                    file.parent.rmdir()
        return replace(judgement, report=judgement.report.with_pareto(picked))

    def _rules(self, judgement: Judgement) -> tuple[Judgement, Mapping[str, FittedRules]]:
        """The rules of every artifact that ships, and the report with them."""
        table = self._tables.judging
        if table is None or not self._config.rules:
            return judgement, {}
        self._tell("making rules", 0, 0)
        fitted = fit_artifacts(
            judgement, table, self._config.rules, [*(kind.name for kind in self._shipped), CASCADE],
            chose_epoch=_chose_epoch(self._source, table), known=None if self._known is None else self._known.make,
        )  # fmt: skip
        report = judgement.report.with_rules({kind: one.report for kind, one in fitted.items()})
        return replace(judgement, report=report), fitted

    def _shipment(self, fitted: Mapping[str, FittedRules]) -> Shipment:
        return Shipment(
            folder=self._folder,
            name=self._name,
            labels=self._labels,
            input=self._model.input,
            files={kind: self._files[kind] for kind in self._shipped},
            entries=self._entries,
            repairs=self._repairs,
            fitted=fitted,
            cascade=self._cascade,
            provenance=provenance(self._source, self._tables.calibrated, self._config.input_range),
            table=self._tables.judging,
            golden=self._config.golden,
            must_pass=self._config.best is not None,
            more=_MORE_EVIDENCE[self._config.evidence],
        )


def _chose_epoch(source: Source, table: PixelTable) -> bool:
    """Whether some images chose the epoch of a run's model."""
    if source.run is None:
        return False
    val = {item.sha256 for item in read_data(source.run).items if item.split == "val"}
    return any(item.sha256 in val for item in table.images.items)


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
