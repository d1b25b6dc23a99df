"""Repairs the int8 artifacts of an export that fail the gate or agree too little.

The judging images say whether an artifact still needs repair, and nothing more: whether a rung
helps is judged on images of the calibration side, so that the final verdict is not flattered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property, partial

import numpy as np

from edge_runtime.engines import usable
from edge_runtime.result import Float32Array
from exporter.config import ExportConfig
from exporter.evidence.record import RepairReport, RungReport
from exporter.gate import Comparison, compare
from exporter.images import IntArray, PixelTable
from exporter.kinds import KINDS
from exporter.making import INT8_KINDS, Maker
from exporter.progress import Progress, step
from exporter.quantize import OnnxGraph, QuantGraph, TfliteGraph
from exporter.quantize.calibration import CalibrationReport, calibration_report
from exporter.repair import Goal, Repaired, repair
from exporter.scoring import file_scores, full_scorer
from exporter.sets import Tables
from exporter.source import FullModel


class Mender:
    """Decides on repair and does it."""

    def __init__(
        self,
        config: ExportConfig,
        model: FullModel,
        labels: tuple[str, ...],
        maker: Maker,
        tables: Tables,
        tell: Progress,
    ) -> None:
        """Prepares; nothing runs yet.

        Args:
            config: Asks for a margin and an agreement.
            model: The full model.
            labels: Its class names.
            maker: What made the artifacts.
            tables: The images; those of the calibration side are decoded when they are needed.
            tell: Told what is being done.
        """
        self.repaired: dict[str, Repaired] = {}
        self._config, self._model, self._labels = config, model, labels
        self._maker, self._tables, self._tell = maker, tables, tell

    def mend(self, reference: Float32Array | None, judging: PixelTable | None) -> None:
        """Repairs what needs it, and replaces its files.

        Args:
            reference: The full model's scores of the judging images, float32 ``[n, classes]``;
                None where nothing judges: then the calibration side says what needs repair.
            judging: The judging images.
        """
        if self._config.repair == "off":
            return
        for kind in INT8_KINDS:
            made = {made.name: made for made in self._maker.files}
            if not ({kind} | ({"c-array"} if kind == "tflite-int8" else set())) & made.keys():
                continue
            if not usable(KINDS[kind].format):
                continue
            found = self._look(kind, self._maker.int8(kind), reference, judging)
            if self._good(found):
                continue
            self._tell(f"repairing {kind}", 0, 0)
            look = partial(self._look, kind, reference=reference, judging=judging)
            self.repaired[kind] = self._climb(kind, found, look)
            self._maker.replace(kind, self.repaired[kind].data)

    def _look(
        self, kind: str, data: bytes, reference: Float32Array | None, judging: PixelTable | None
    ) -> Comparison:
        if reference is None or judging is None:
            rows, table = self._tables.rung_judges, self._tables.calibration_side()
            full, pixels, truth = self._reference[rows], table.pixels[rows], self._truth[rows]
            labels = self._labels
        else:
            full, pixels, truth, labels = reference, judging.pixels, judging.truth, judging.images.labels
        scores = file_scores(
            data, KINDS[kind].format, pixels, full.shape[1],
            progress=step(self._tell, f"a first look at {kind}"),
        )  # fmt: skip
        return compare(full, scores, truth, labels, margin=self._config.margin)

    def _good(self, found: Comparison) -> bool:
        """Too few images to tell is no reason to repair; a drop beyond the margin or other answers are."""
        return found.verdict != "fail" and found.agreement >= self._config.agreement

    def _climb(self, kind: str, found: Comparison, look: Callable[[bytes], Comparison]) -> Repaired:
        rows, table = self._tables.rung_judges, self._tables.calibration_side()
        full = self._config.repair == "full"
        return repair(
            self._maker.graph(kind),
            table.pixels[rows],
            self._truth[rows],
            self._reference[rows],
            calibration_pixels=self._maker.calibration,
            labels=self._labels,
            goal=Goal(self._config.margin, self._config.agreement),
            tune=(lambda: self._tuned(kind)) if full or found.verdict == "fail" else None,
            progress=self._tell,
            wanting=lambda data: not self._good(look(data)),
        )

    def reports(self) -> dict[str, RepairReport]:
        """The ladders, for ``check.json``, by kind; a C array went up that of the file inside."""
        found = {
            kind: RepairReport(kind, tuple(RungReport(**asdict(rung)) for rung in repaired.rungs))
            for kind, repaired in self.repaired.items()
        }
        if "tflite-int8" in found:
            found["c-array"] = found["tflite-int8"]
        return found

    def calibrations(self) -> dict[str, CalibrationReport]:
        """What the calibration images were worth, by kind."""
        table, count = self._tables.calibration_side, self._tables.calibrated
        if not count:
            return {}
        rows, side, quick = self._tables.rung_judges, table(), self._config.evidence == "quick"
        made = {made.name for made in self._maker.files}
        found = {
            kind: calibration_report(
                self._maker.graph(kind),
                self._maker.calibration,
                self._truth[:count],
                self._labels,
                held_out=None if quick else side.pixels[count:],
                judging=None if quick else (side.pixels[rows], self._reference[rows]),
                progress=self._tell,
            )
            for kind in INT8_KINDS
            if kind in made or (kind == "tflite-int8" and "c-array" in made)
        }
        if "tflite-int8" in found:
            found["c-array"] = found["tflite-int8"]
        return found

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

    def _tuned(self, kind: str) -> QuantGraph:
        model, pixels = self._tuned_model, self._maker.calibration
        if kind == "onnx-int8":
            from exporter.onnx_file import convert_onnx

            return OnnxGraph(convert_onnx(model)).calibrated(pixels)
        from exporter.freeze import freeze
        from exporter.tflite import convert_fp32

        return TfliteGraph(convert_fp32(freeze(model))).calibrated(pixels)
