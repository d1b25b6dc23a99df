"""Writes what an export made and judged: the manifest, golden examples, and the results for machines and people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.cascade_entry import cascade_entry
from edge_runtime.bundle.manifest import Artifact, Cascade, Manifest, Preprocess, Provenance
from edge_runtime.bundle.rules import Rules
from edge_runtime.bundle.strict_json import encode_json
from edge_runtime.image.input_spec import InputSpec
from exporter.bundle.bundle_files import REPORT_FILE, write_manifest
from exporter.bundle.golden_files import replay_golden, write_golden
from exporter.cascade.making import MadeCascade
from exporter.evidence.record import RepairReport
from exporter.formats.kinds import CASCADE, Kind
from exporter.judge.judge_artifacts import Judgement
from exporter.judge.verdict import CHECK_FILE, CheckReport
from exporter.report.report import render_report
from exporter.rules.fitting import FittedRules
from exporter.source.images import PixelTable, balanced

Judged = TypeVar("Judged", Artifact, Cascade)


@dataclass(frozen=True)
class Shipment:
    """The content of a bundle.

    Attributes:
        folder: The bundle's folder, with the model files in it.
        name: The bundle's name.
        labels: Class names, in the order of the outputs.
        input: The models' input.
        files: The model files, by kind.
        entries: The manifest's entry of each, and of files that do not ship.
        repairs: How files were repaired, by kind.
        fitted: Their rules, by kind; empty if there are none.
        cascade: The cascade of two of the files; None if there is none.
        provenance: Where it all comes from.
        table: The judging images; None if there are none.
        golden: Number of golden examples.
        must_pass: Whether an artifact that fails is an error.
        more: What the report does not have and how to get it, one line; empty if it has everything.
    """

    folder: Path
    name: str
    labels: tuple[str, ...]
    input: InputSpec
    files: Mapping[Kind, Path]
    entries: Mapping[Kind, Artifact]
    repairs: Mapping[str, RepairReport]
    fitted: Mapping[str, FittedRules]
    cascade: MadeCascade | None
    provenance: Provenance
    table: PixelTable | None
    golden: int
    must_pass: bool
    more: str

    @property
    def kinds(self) -> list[str]:
        """Names of the kinds that ship, the cascade's too."""
        return [*(kind.name for kind in self.files), *([] if self.cascade is None else [CASCADE])]


def write_shipment(shipment: Shipment, judgement: Judgement | None) -> None:
    """Writes everything but the model files.

    Args:
        shipment: The content.
        judgement: Its verdicts; None if nothing was judged.

    Raises:
        GateFailedError: An artifact fails, and must not.
        InconclusiveError: An artifact is inconclusive, and must not be.
    """
    manifest = _with_cascade(_manifest(shipment), shipment, judgement)
    for fitted in shipment.fitted.values():
        for path, data in fitted.files.items():
            file = shipment.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    write_manifest(shipment.folder, manifest)
    if judgement is not None:
        _write_check(shipment, judgement, manifest)


def _manifest(shipment: Shipment) -> Manifest:
    golden = None
    if shipment.table is not None:
        examples = balanced(shipment.table.images, shipment.golden)
        cascades = {} if shipment.cascade is None else {CASCADE: shipment.cascade.open}
        golden = write_golden(shipment.folder, examples, shipment.input, shipment.files, cascades)
    return Manifest(
        schema_version=1,
        name=shipment.name,
        labels=shipment.labels,
        input=shipment.input,
        artifacts=tuple(_described(shipment, kind) for kind in shipment.files),
        provenance=shipment.provenance,
        preprocess=Preprocess.of(shipment.input),
        golden=golden,
    )


def _described(shipment: Shipment, kind: Kind) -> Artifact:
    """With its repairs, which a bundle lists even if nothing was checked, and its rules."""
    repair = shipment.repairs.get(kind.name)
    kept = () if repair is None else tuple(step.name for step in repair.kept)
    entry = msgspec.structs.replace(shipment.entries[kind], repairs=kept)
    fitted = shipment.fitted.get(kind.name)
    if fitted is None:
        return entry
    return msgspec.structs.replace(entry, rules=_bound(fitted, entry), reference=fitted.reference)


def _bound(fitted: FittedRules, entry: Artifact) -> Rules | None:
    """Rules that say which artifact they judge."""
    if fitted.rules is None:
        return None
    return msgspec.structs.replace(fitted.rules, model_sha256=entry.sha256)


def _with_cascade(manifest: Manifest, shipment: Shipment, judgement: Judgement | None) -> Manifest:
    """With its cascade, which has rules of its own."""
    if shipment.cascade is None or judgement is None:
        return manifest
    described = shipment.cascade.described(judgement.report)
    manifest = msgspec.structs.replace(manifest, cascade=described)
    fitted, entry = shipment.fitted.get(CASCADE), cascade_entry(manifest)
    if fitted is None or entry is None:
        return manifest
    ruled = msgspec.structs.replace(described, rules=_bound(fitted, entry), reference=fitted.reference)
    return msgspec.structs.replace(manifest, cascade=ruled)


def _write_check(shipment: Shipment, judgement: Judgement, manifest: Manifest) -> None:
    """Replays the bundle as written, before its verdicts are written."""
    folder = shipment.folder
    report = judgement.report.with_golden(replay_golden(Bundle.open(folder)))
    kept = report.only(shipment.kinds)
    if shipment.must_pass:
        kept.raise_for_verdict()
    assert shipment.table is not None
    page = render_report(shipment.name, replace(judgement, report=report), shipment.table, shipment.more)
    (folder / REPORT_FILE).write_text(page, encoding="utf-8")
    (folder / CHECK_FILE).write_bytes(encode_json(kept.to_dict()))
    entries = tuple(_with_verdict(entry, kept) for entry in manifest.artifacts)
    cascade = None if manifest.cascade is None else _with_verdict(manifest.cascade, kept)
    write_manifest(folder, msgspec.structs.replace(manifest, artifacts=entries, cascade=cascade))


def _with_verdict(entry: Judged, report: CheckReport) -> Judged:
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
