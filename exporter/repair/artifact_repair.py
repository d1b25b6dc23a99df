"""Repairs the int8 artifacts of an export that are not as good as the full model on calibration-side images.

The judging images are not used here. Only the gate reads them, once, after the last step: a repair that
stopped as soon as they pass would look until it is lucky. What needs repair, what helps and when to stop
is decided on close-ups of calibration-side images, by the rules of :class:`exporter.repair.Goal`.

Why close-ups: images of the calibration side are usually training images. The full model is confident on
them, and int8 changes answers only where it is not: for a fine-tuned MobileNetV2, the int8 file changed
3.2 % of the answers on new images, none on training images, and 5.0 % on corner crops of 60 % of those. So
repair steps are judged on corner crops, as small as possible while nine of ten answers of the full model
stay the same: about as hard for it as images it has not seen.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import TypeVar

import numpy as np
from PIL import Image

from edge_runtime.common.arrays import IntArray
from edge_runtime.common.cores import cores
from edge_runtime.common.errors import ModelFileError
from edge_runtime.common.progress import Progress
from edge_runtime.engines import usable
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.config.export_config import ExportConfig
from exporter.convert.builder import Builder
from exporter.convert.image_sets import Tables
from exporter.evidence.record import RepairReport
from exporter.formats.kinds import KINDS, REPAIRABLE_KINDS
from exporter.quantize import QuantGraph
from exporter.quantize.calibration import CalibrationReport, calibration_report
from exporter.repair import Goal, RepairEvaluation, repair
from exporter.source.full_model import FullModel
from exporter.source.scoring import full_scorer

SIDES = (0.9, 0.8, 0.7, 0.6, 0.5)
"""Sides of the crops to try, as fractions of the image, largest first."""

SETTLED = 0.9
"""Share of the full model's answers that must stay the same."""

_TRIED_ON = 50
_T = TypeVar("_T")


class ArtifactRepair:
    """Repairs the int8 artifacts of one export, and reports on their calibration."""

    def __init__(
        self,
        config: ExportConfig,
        model: FullModel,
        labels: tuple[str, ...],
        builder: Builder,
        tables: Tables,
        progress: Progress,
    ) -> None:
        """Prepares; nothing runs yet.

        Args:
            config: The margin and the agreement to reach, and whether to repair at all.
            model: The full model.
            labels: Its class names.
            builder: What made the artifacts.
            tables: The images; the calibration side is decoded when it is first needed.
            progress: Progress callback.
        """
        self._config, self._model, self._labels = config, model, labels
        self._builder, self._tables, self._progress = builder, tables, progress
        self._reports: dict[str, RepairReport] = {}

    def run(self) -> None:
        """Repairs the artifacts that need it, and replaces their files."""
        if self._config.repair == "off":
            return
        for kind in self._made():
            if not usable(KINDS[kind].format):
                continue
            self._progress(f"judging {kind} on calibration images", 0, 0)
            found = repair(
                self._builder.graph(kind),
                self._evaluation,
                calibration_pixels=self._builder.calibration,
                goal=Goal(
                    self._config.margin,
                    self._config.agreement,
                    always_tune=self._config.repair == "full",
                    labelled=self._tables.labelled,
                ),
                fine_tune=partial(self._fine_tuned, kind),
                plain=self._builder.data(kind),
            )
            report = RepairReport(kind, found.steps)
            if len(report.rungs) > 1:
                self._reports[kind] = report
            if report.kept:
                self._builder.replace(kind, found.data)

    @property
    def close_ups(self) -> tuple[UInt8Array, Float32Array]:
        """The close-ups that judge repairs, uint8 ``[n, height, width, channels]``, with the full model's scores."""
        return self._evaluation.pixels, self._evaluation.reference

    def reports(self) -> dict[str, RepairReport]:
        """What was repaired, by kind; a kind that wraps another shares its report."""
        return _with_wrapping(self._reports)

    def calibrations(self) -> dict[str, CalibrationReport]:
        """How good the calibration was, by kind."""
        table, count = self._tables.calibration_side, self._tables.calibrated
        if not count:
            return {}
        rows, side, quick = self._tables.repair_rows, table(), self._config.evidence != "full"

        def report(kind: str, quick: bool) -> CalibrationReport:
            return calibration_report(
                self._builder.graph(kind),
                self._builder.calibration,
                self._truth[:count],
                self._labels,
                held_out=None if quick else side.pixels[count:],
                judging=None if quick else (side.pixels[rows], self._reference[rows]),
                progress=self._progress,
            )

        found = {}
        for kind in self._made():
            try:
                found[kind] = report(kind, quick)
            except ModelFileError:
                # With fewer images the quantizer may refuse it. Diagnostics never fail an export.
                found[kind] = report(kind, True)
        return _with_wrapping(found)

    @cached_property
    def _evaluation(self) -> RepairEvaluation:
        table, rows = self._tables.calibration_side(), self._tables.repair_rows
        score = full_scorer(self._model)
        pixels = close_ups(table.pixels[rows], score)
        reference = score(pixels, self._progress, "scoring close-ups with the full model")
        known = table.truth[rows]
        truth = np.tile(known, len(pixels) // len(known))
        if not self._tables.labelled:
            truth = _answers(reference)
        return RepairEvaluation(pixels, truth, reference, self._labels, self._config.margin, self._progress)

    @cached_property
    def _reference(self) -> Float32Array:
        return full_scorer(self._model)(
            self._tables.calibration_side().pixels,
            self._progress,
            "scoring calibration images with the full model",
        )

    @property
    def _truth(self) -> IntArray:
        return self._tables.calibration_side().truth if self._tables.labelled else _answers(self._reference)

    def _fine_tuned(self, kind: str) -> QuantGraph:
        return self._tuned.graph(kind)

    @cached_property
    def _tuned(self) -> Builder:
        from exporter.repair.qat import fine_tuned

        # Images that judge repairs must not be trained on, if there are others.
        rows, side = self._tables.repair_rows, self._tables.calibration_side()
        trained = slice(0, rows.start or None)
        tuned = fine_tuned(
            self._model, side.pixels[trained], self._reference[trained], progress=self._progress
        )
        return self._builder.for_model(tuned)

    def _made(self) -> list[str]:
        """The kinds that can be repaired, themselves or what wraps them."""
        return [
            kind
            for kind in REPAIRABLE_KINDS
            if any(kind in (row.name, row.wraps) for row in self._builder.files)
        ]


def _answers(scores: Float32Array) -> IntArray:
    answers: IntArray = scores.argmax(axis=1).astype(np.int64)
    return answers


def _with_wrapping(found: dict[str, _T]) -> dict[str, _T]:
    """Adds what was found of a file to the kinds that wrap it."""
    return found | {row.name: found[row.wraps] for row in KINDS.values() if row.wraps in found}


def close_ups(pixels: UInt8Array, score: Callable[[UInt8Array], Float32Array]) -> UInt8Array:
    """Crops two opposite corners of each image and resizes them to the size of the image.

    Args:
        pixels: uint8 ``[n, height, width, channels]``.
        score: The full model: images -> scores, float32 ``[k, classes]``.

    Returns:
        uint8 ``[2 n, height, width, channels]``, one corner of all images and then the other,
        deterministic; the images themselves, ``[n, ...]``, if even large crops change too many answers.
    """
    # Evenly spread: images are often sorted by class.
    some = pixels[np.unique(np.linspace(0, len(pixels) - 1, _TRIED_ON).astype(np.int64))]
    answers, chosen = np.tile(score(some).argmax(axis=1), 2), 1.0
    for side in SIDES:
        if np.mean(score(corners(some, side)).argmax(axis=1) == answers) < SETTLED:
            break
        chosen = side
    return pixels if chosen == 1.0 else corners(pixels, chosen)


def corners(pixels: UInt8Array, side: float) -> UInt8Array:
    """A corner of each image, then the opposite corner of each, enlarged to the size of the image.

    Args:
        pixels: uint8 ``[n, height, width, channels]``.
        side: Side of the crop, as a fraction of the image, above 0 and below 1.

    Returns:
        uint8 ``[2 n, height, width, channels]``, in an unnamed file like image tables: hundreds of
        large images need not fit into memory.
    """
    count, height, width, channels = pixels.shape
    high, wide = max(1, round(side * height)), max(1, round(side * width))
    with tempfile.TemporaryFile(prefix="snapship-") as file:
        made = np.memmap(file, np.uint8, "w+", shape=(2 * count, height, width, channels))
    # Random: in alternation, corners could correlate with classes, which alternate too.
    chosen = np.random.default_rng(0).integers(4, size=count)

    def enlarge(row: int) -> None:
        place = row % count
        cut = int(chosen[place] if row < count else 3 - chosen[place])
        top, left = (cut // 2) * (height - high), (cut % 2) * (width - wide)
        seen = np.asarray(pixels[place])[top : top + high, left : left + wide]
        for channel in range(channels):
            plane = Image.fromarray(np.ascontiguousarray(seen[:, :, channel]))
            made[row, :, :, channel] = np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR))

    with ThreadPoolExecutor(cores()) as pool:
        # Asking for the results raises what a thread raised.
        deque(pool.map(enlarge, range(2 * count)), maxlen=0)
    return made
