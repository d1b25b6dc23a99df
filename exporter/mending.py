"""Repairs the int8 artifacts of an export that are not as good as the full model on calibration-side images.

The judging images have no part in it. They are read once, after the last rung, by the gate alone: a
ladder that stopped as soon as they pass would look until it is lucky. What needs repair, what helps and
when to stop is seen on close-ups of calibration-side images, by the rules of :class:`exporter.repair.Goal`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from edge_runtime.engines import usable
from edge_runtime.errors import ModelFileError
from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from exporter.config import ExportConfig
from exporter.evidence.record import RepairReport, RungReport
from exporter.images import IntArray
from exporter.kinds import KINDS, REPAIRABLE_KINDS
from exporter.making import Builder
from exporter.progress import Progress, step
from exporter.quantize.calibration import CalibrationReport, calibration_report
from exporter.repair import Goal, Repaired, repair
from exporter.repair.close_ups import close_ups
from exporter.scoring import full_scorer
from exporter.sets import Tables
from exporter.source import FullModel

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Judges:
    """What the rungs are judged on.

    Attributes:
        pixels: Close-ups of calibration-side images, uint8 ``[n, height, width, channels]``.
        truth: Their classes, int64 ``[n]``; of images of other things, what the full model answers.
        reference: The full model's scores of them, float32 ``[n, classes]``.
    """

    pixels: UInt8Array
    truth: IntArray
    reference: Float32Array


class Mender:
    """Decides on repair and does it."""

    def __init__(
        self,
        config: ExportConfig,
        model: FullModel,
        labels: tuple[str, ...],
        builder: Builder,
        tables: Tables,
        tell: Progress,
    ) -> None:
        """Prepares; nothing runs yet.

        Args:
            config: Asks for a margin and an agreement.
            model: The full model.
            labels: Its class names.
            builder: Made the artifacts.
            tables: The images; those of the calibration side are decoded when they are needed.
            tell: Told what is being done.
        """
        self.repaired: dict[str, Repaired] = {}
        self._config, self._model, self._labels = config, model, labels
        self._builder, self._tables, self._tell = builder, tables, tell

    def mend(self) -> None:
        """Repairs what needs it, and replaces its files."""
        if self._config.repair == "off":
            return
        for kind in self._made():
            if not usable(KINDS[kind].format):
                continue
            self._tell(f"judging {kind} on calibration images", 0, 0)
            found = self._climb(kind)
            if len(found.rungs) > 1:
                self.repaired[kind] = found
            if any(rung.kept for rung in found.rungs[1:]):
                self._builder.replace(kind, found.data)

    def _climb(self, kind: str) -> Repaired:
        judges = self._judges
        return repair(
            self._builder.graph(kind),
            judges.pixels,
            judges.truth,
            judges.reference,
            calibration_pixels=self._builder.calibration,
            labels=self._labels,
            goal=Goal(
                self._config.margin,
                self._config.agreement,
                always_tune=self._config.repair == "full",
                labelled=self._tables.labelled,
            ),
            tune=lambda: self._tuned.graph(kind),
            progress=self._tell,
            plain=self._builder.data(kind),
        )

    def reports(self) -> dict[str, RepairReport]:
        """The ladders, for ``check.json``, by kind; a C array went up that of the file inside."""
        found = {
            kind: RepairReport(kind, tuple(RungReport(**asdict(rung)) for rung in repaired.rungs))
            for kind, repaired in self.repaired.items()
        }
        return _with_wrapping(found)

    def calibrations(self) -> dict[str, CalibrationReport]:
        """What the calibration images were worth, by kind."""
        table, count = self._tables.calibration_side, self._tables.calibrated
        if not count:
            return {}
        rows, side, quick = self._tables.rung_judges, table(), self._config.evidence == "quick"

        def report(kind: str, quick: bool) -> CalibrationReport:
            return calibration_report(
                self._builder.graph(kind),
                self._builder.calibration,
                self._truth[:count],
                self._labels,
                held_out=None if quick else side.pixels[count:],
                judging=None if quick else (side.pixels[rows], self._reference[rows]),
                progress=self._tell,
            )

        found = {}
        for kind in self._made():
            try:
                found[kind] = report(kind, quick)
            except ModelFileError:
                # Quantized with fewer images, it may be refused. Evidence ends no export.
                found[kind] = report(kind, True)
        return _with_wrapping(found)

    @cached_property
    def _judges(self) -> _Judges:
        table, rows = self._tables.calibration_side(), self._tables.rung_judges
        score = full_scorer(self._model)
        pixels = close_ups(table.pixels[rows], score)
        reference = score(pixels, step(self._tell, "scoring close-ups with the full model"))
        known = table.truth[rows]
        truth = np.tile(known, len(pixels) // len(known))
        if not self._tables.labelled:
            truth = reference.argmax(axis=1).astype(np.int64)
        return _Judges(pixels, truth, reference)

    @cached_property
    def _reference(self) -> Float32Array:
        return full_scorer(self._model)(
            self._tables.calibration_side().pixels,
            step(self._tell, "scoring calibration images with the full model"),
        )

    @property
    def _truth(self) -> IntArray:
        if self._tables.labelled:
            return self._tables.calibration_side().truth
        answers: IntArray = self._reference.argmax(axis=1).astype(np.int64)
        return answers

    @cached_property
    def _tuned_model(self) -> FullModel:
        from exporter.repair.qat import fine_tuned

        # Images that judge the rung must not teach it, where there are others.
        judges, side = self._tables.rung_judges, self._tables.calibration_side()
        taught = slice(0, judges.start or None)
        return fine_tuned(self._model, side.pixels[taught], self._reference[taught], progress=self._tell)

    @cached_property
    def _tuned(self) -> Builder:
        return self._builder.for_model(self._tuned_model)

    def _made(self) -> list[str]:
        """The kinds that can be repaired, themselves or what wraps them."""
        return [
            kind
            for kind in REPAIRABLE_KINDS
            if any(kind in (row.name, row.wraps) for row in self._builder.files)
        ]


def _with_wrapping(found: dict[str, _T]) -> dict[str, _T]:
    """What was found of a file holds for what wraps it."""
    return found | {row.name: found[row.wraps] for row in KINDS.values() if row.wraps in found}
