"""The calibration and judging images of an export, decoded when first needed."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from edge_runtime.common.errors import BundleError, DataError, UsageError
from edge_runtime.common.progress import Progress
from edge_runtime.dataset import ImageSet, open_dataset
from edge_runtime.image.preprocess import UInt8Array
from exporter.config.export_config import ExportConfig
from exporter.source.full_model import FullModel, Source
from exporter.source.images import (
    PixelTable,
    balanced,
    choose_split,
    decode_table,
    run_images,
    without_images_of,
)

REPAIR_IMAGES = 300
"""Calibration-side images that judge repairs, in addition to the calibration images."""

ENOUGH_IMAGES = 100
"""With fewer than this left, the calibration images judge repairs as well."""


@dataclass(frozen=True)
class ImageSets:
    """Image sets before decoding; None if there is no data."""

    calibration: ImageSet | None
    judging: ImageSet | None


def image_sets(config: ExportConfig, source: Source) -> ImageSets:
    """Splits images into calibration and judging sets, which share no content.

    Args:
        config: Names the data, or leaves it to the run.
        source: The full model, with its run if it has one.

    Raises:
        DataError: The data cannot be read.
    """
    own = None if config.calibration_data is None else open_dataset(config.calibration_data)
    if config.data is not None:
        images = open_dataset(config.data)
        judging = choose_split(images, "val") if own is None else images
    elif source.run is not None:
        images = run_images(source.run)
        judging = choose_split(images, "val")
    else:
        return ImageSets(own, None)
    return ImageSets(without_images_of(images.only("train") if own is None else own, judging), judging)


def check_calibration(images: ImageSet | None) -> ImageSet:
    """Returns the calibration images if there are any: checked before the full model is loaded, and at use.

    Args:
        images: The calibration side.

    Raises:
        DataError: There are none.
    """
    if images is None or not len(images):
        where = "" if images is None else f" in {images.source}"
        raise DataError(
            f"Quantized artifacts need calibration images that are not used for checking. Received: none{where}. Pass "
            "--calibration-data with real images, or leave these artifacts out with --artifacts."
        )
    return images


def bundle_labels(source: Source, sets: ImageSets, model: FullModel) -> tuple[str, ...]:
    """The labels of the run, the labels file or the data, in this order of preference.

    Args:
        source: The full model's source.
        sets: Its images.
        model: The full model.

    Raises:
        UsageError: Nothing names the classes.
        BundleError: Their number is not the model's.
    """
    if source.labels is not None:
        return source.labels
    if sets.judging is None:
        raise UsageError(
            f"A bundle needs class names. Received: {source.file} and neither --labels nor --data. "
            "Pass --labels FILE with one name per line."
        )
    if len(sets.judging.labels) != model.classes:
        raise BundleError(
            f"Labels must match the model's outputs. Received: {len(sets.judging.labels)} classes in "
            f"{sets.judging.source}, {model.classes} outputs. Pass --labels."
        )
    return sets.judging.labels


class Tables:
    """Decoded images.

    Attributes:
        judging: The judging images; None if there are none.
        calibrated: Number of calibration images; 0 until they are decoded.
        labelled: Whether the calibration side has the model's classes.
    """

    def __init__(
        self,
        sets: ImageSets,
        labels: tuple[str, ...],
        model: FullModel,
        count: int,
        stack: ExitStack,
        progress: Progress,
    ) -> None:
        """Decodes the judging images.

        Args:
            sets: The images.
            labels: The model's class names.
            model: The full model.
            count: Number of calibration images.
            stack: Closes the tables.
            progress: Progress callback.
        """
        self.judging: PixelTable | None = None
        self.calibrated = 0
        self.labelled = True
        self._sets, self._labels, self._model, self._count = sets, labels, model, count
        self._stack, self._progress = stack, progress
        self._side: PixelTable | None = None
        if sets.judging is not None:
            named = sets.judging.relabelled(labels)
            self.judging = stack.enter_context(
                decode_table(named, model.input, progress=progress, step="decoding judging images")
            )

    def relabel(self, labels: tuple[str, ...]) -> None:
        """Gives the images the class indices of another order of the names.

        Args:
            labels: The model's class names. Call this before the calibration side is decoded.
        """
        self._labels = labels
        if self.judging is not None:
            self.judging.relabel(labels)

    @property
    def has_calibration_side(self) -> bool:
        """Whether there are images that are not used for judging."""
        return bool(self._sets.calibration and len(self._sets.calibration))

    def calibration_side(self) -> PixelTable:
        """Images of the calibration side: the first :attr:`calibrated` are for calibration, the rest judge repairs.

        Raises:
            DataError: There are none, or they do not decode.
        """
        if self._side is None:
            images = check_calibration(self._sets.calibration)
            chosen = balanced(images, self._count + REPAIR_IMAGES)
            try:
                chosen = chosen.relabelled(self._labels)
            except DataError:
                # Photos of other things can calibrate, but cannot show which answers are right.
                self.labelled = False
            self._side = self._stack.enter_context(
                decode_table(
                    chosen, self._model.input, progress=self._progress, step="decoding calibration images"
                )
            )
            self.calibrated = min(self._count, len(self._side.truth))
        return self._side

    def calibrating(self) -> UInt8Array:
        """The calibration images, uint8 ``[n, height, width, channels]``."""
        table = self.calibration_side()
        return table.pixels[: self.calibrated]

    @property
    def repair_rows(self) -> slice:
        """Rows of the calibration side that judge repairs: those not used for calibration, if enough."""
        fresh = len(self.calibration_side().truth) - self.calibrated
        return slice(self.calibrated, None) if fresh >= ENOUGH_IMAGES else slice(0, None)
