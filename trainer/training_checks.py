"""What is checked before training: options, outputs, devices and data."""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.common.atomic_folder import check_folder
from edge_runtime.common.errors import DataError, UsageError
from edge_runtime.dataset import ImageSet
from trainer.analysis.report import check_report_packages
from trainer.config.train_config import TrainConfig
from trainer.models.weights import check_weights
from trainer.ranks.ranks import Ranks
from trainer.run.run_folder import check_out


def check_at_once(config: TrainConfig) -> None:
    """Checks whatever needs neither data nor Keras.

    Args:
        config: The configuration.

    Raises:
        UsageError: ``out`` already exists or cannot be written, or the weights file is missing or does not fit.
        EnvironmentMissingError: A package of the report is missing.
    """
    out = check_out(config.out, config.overwrite)
    if config.pretrained and config.weights is not None and config.weights != "imagenet":
        check_weights(config.model, config.weights)
    _check_writable_names(config, out)
    check_folder(out)
    check_report_packages()
    _check_logs(config, out)


def check_devices(config: TrainConfig, ranks: Ranks) -> None:
    """Refuses batches that leave a device without an image, and what ranks cannot decide together.

    Args:
        config: The configuration.
        ranks: Those that train.

    Raises:
        UsageError: The batch is too small, or the precision does not fit.
    """
    devices = ranks.group.devices
    if config.batch_size < devices:
        raise UsageError(
            f"batch_size must be at least the number of devices, {devices}. "
            f"Received: batch_size={config.batch_size}. Raise --batch-size."
        )
    if ranks.group.figures_are_local and config.precision == "mixed_float16":
        raise UsageError(
            "Several PyTorch processes must train in another precision: each would skip steps of its own. "
            "Received: precision=mixed_float16. Use mixed_bfloat16 or float32."
        )


def _check_logs(config: TrainConfig, out: Path) -> None:
    """Refuses logs inside the run folder, which may contain nothing else."""
    if config.logs is not None and out in (logs := Path(os.path.abspath(config.logs)), *logs.parents):
        raise UsageError(
            f"--logs must be outside the run folder. Received: {config.logs} in {out}. Choose another folder."
        )


def _check_writable_names(config: TrainConfig, out: Path) -> None:
    """Refuses paths that run.json cannot store: on Linux they may be any bytes."""
    for name, path in (("data", os.path.abspath(config.data)), ("out", str(out))):
        try:
            path.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UsageError(
                f"{name} must be a path in UTF-8. Received: {path!r}. Rename the folder."
            ) from error


def check_trainable(images: ImageSet) -> None:
    """Refuses data without val images, or with a class that has no train images.

    Args:
        images: The data set.

    Raises:
        DataError: It cannot be trained on.
    """
    counts = images.counts()
    missing = [name for name, sides in counts.items() if not sides["train"]]
    if len(missing) == len(counts):
        raise DataError(
            f"The data must have train images. Received: only val or test images in {images.source}. "
            "Add a train folder, or pass a folder of class folders, which is split automatically."
        )
    if missing:
        raise DataError(
            f"Every class must have train images. Received: none for {missing[0]!r} "
            f"({len(missing)} of {len(counts)} classes) in {images.source}. Add images to train."
        )
    if not any(sides["val"] for sides in counts.values()):
        raise DataError(
            f"The data must have val images. Received: none in {images.source}. "
            "Add a val folder, or drop the split to have one made automatically."
        )
