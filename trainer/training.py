"""Training, from labelled images to a run folder.

Stages::

    config, weights file, --out, packages    everything that can be refused at once is
    -> data      open, hash, split                   edge_runtime.dataset
    -> pixels    decode once into a memory map       cache
    -> model     build, with weights                 models
    -> fit       plain, or head then fine-tuning     plain, transfer
    -> evaluate  the saved model, on val             evaluation
    -> save      temporary sibling, then rename      publish
"""

from __future__ import annotations

import datetime
import os
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from edge_runtime.dataset import ImageSet, open_dataset
from edge_runtime.errors import DataError, UsageError
from edge_runtime.spec import InputSpec
from trainer.backend import load_keras
from trainer.cache import Pixels, cached_pixels
from trainer.config import TrainConfig
from trainer.downloads import ensure_downloaded
from trainer.evaluation import Evaluation, evaluate_scores, predict
from trainer.history import EpochRow, history_csv
from trainer.models import build
from trainer.models.weights import check_weights_file
from trainer.plain import train_plain
from trainer.progress import Event, Progress, silent
from trainer.publish import building, check_out
from trainer.report import check_report_packages, write_report
from trainer.run import (
    HISTORY_FILE,
    MODEL_FILE,
    SCHEMA_VERSION,
    DataItem,
    DataRecord,
    RunMetrics,
    RunRecord,
    write_data,
    write_run,
)
from trainer.schedule import used
from trainer.transfer import train_transfer

_PACKAGES = ("snapship", "keras", "tensorflow", "jax", "torch", "numpy", "pillow")


@dataclass(frozen=True)
class Run:
    """A run folder that was made.

    Attributes:
        path: The folder.
        record: Its ``run.json``.
        evaluation: The model on val.
    """

    path: Path
    record: RunRecord
    evaluation: Evaluation


def train(config: TrainConfig, progress: Progress = silent) -> Run:
    """Trains a classifier and writes a run folder.

    Args:
        config: What to train on what.
        progress: Told of every step; training itself prints nothing.

    Returns:
        The finished run. When anything goes wrong, or on Ctrl-C, no folder is left.

    Raises:
        UsageError: ``out`` is taken, or the weights file is missing or does not fit.
        DataError: The data cannot be used.
        EnvironmentMissingError: Keras or another package, or a network, is missing.
    """
    out = check_out(config.out, config.overwrite)
    if config.pretrained and config.weights is not None and config.weights != "imagenet":
        check_weights_file(config.weights)
    _check_writable_names(config, out)
    check_report_packages()
    started = time.monotonic()
    with building(out, config.overwrite) as folder:
        ensure_downloaded(config.data, progress)
        progress(Event("data", 0, 0, f"opening {os.fspath(config.data)}"))
        images = open_dataset(config.data)
        _check_trainable(images)
        spec = config.input_spec(images.native_size, images.gray)
        progress(Event("data", 1, 1, _describe(images)))
        pixels = cached_pixels(images, spec, config.cache_dir, progress)
        _check_trainable(pixels.images)
        for line in pixels.images.skipped[:10]:
            progress(Event("pixels", message=f"skipped {line}"))

        model, rows = _fit(config, pixels, spec, progress, started)
        model.save(folder / MODEL_FILE)

        progress(Event("evaluate", 0, 0, "evaluating"))
        val = pixels.only("val")
        scores = predict(model, pixels.array, val)
        seconds = time.monotonic() - started
        evaluation = evaluate_scores(scores, pixels.labels[val], pixels.images.labels, seconds)
        record = _record(config, pixels, spec, rows, evaluation, out, seconds)
        (folder / HISTORY_FILE).write_text(history_csv(rows), "utf-8")
        items = tuple(DataItem(item.ref, item.label, item.split, item.sha256) for item in pixels.images.items)
        write_data(folder, DataRecord(images.source, images.labels, items, pixels.images.skipped))
        write_report(folder, record, rows, evaluation, scores, pixels)
        write_run(folder, record)
    progress(Event("save", 1, 1, f"saved {out}"))
    return Run(out, record, evaluation)


def _fit(
    config: TrainConfig, pixels: Pixels, spec: InputSpec, progress: Progress, started: float
) -> tuple[Any, list[EpochRow]]:
    progress(Event("model", 0, 0, f"building {config.model}"))
    keras = load_keras()
    keras.utils.set_random_seed(config.seed)
    model = build(
        config.model, input_shape=spec.shape, classes=len(pixels.images.labels), weights=config.weights
        if config.pretrained else None, width=config.width,
    )  # fmt: skip
    fit = train_transfer if config.pretrained else train_plain
    return model, fit(model, pixels, config, progress, started)


def _check_writable_names(config: TrainConfig, out: Path) -> None:
    """Refuses paths that run.json could not hold: on Linux they may be any bytes."""
    for name, path in (("data", os.path.abspath(config.data)), ("out", str(out))):
        try:
            path.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UsageError(
                f"{name} must be a path in UTF-8. Received: {path!r}. Rename the folder."
            ) from error


def _check_trainable(images: ImageSet) -> None:
    """Refuses data without val, or with a class that cannot be learnt."""
    counts = images.counts()
    missing = [name for name, sides in counts.items() if not sides["train"]]
    if missing:
        raise DataError(
            f"Every class must have images to train on. Received: none for {missing[0]!r} "
            f"({len(missing)} of {len(counts)} classes) in {images.source}. Add images to train."
        )
    if not any(sides["val"] for sides in counts.values()):
        raise DataError(
            f"There must be val images to measure on. Received: none in {images.source}. "
            "Add a val folder, or leave the split out."
        )


def _describe(images: ImageSet) -> str:
    train = len(images.only("train"))
    skipped = f", {len(images.skipped)} files skipped" if images.skipped else ""
    return f"{len(images.labels)} classes, {train} train and {len(images) - train} val images{skipped}"


def _record(
    config: TrainConfig,
    pixels: Pixels,
    spec: InputSpec,
    rows: list[EpochRow],
    evaluation: Evaluation,
    out: Path,
    seconds: float,
) -> RunRecord:
    keras = load_keras()
    return RunRecord(
        schema_version=SCHEMA_VERSION,
        name=out.name,
        model=config.model,
        labels=pixels.images.labels,
        input=spec,
        config=used(config, spec),
        metrics=RunMetrics(
            val_top1=evaluation.top1,
            val_loss=evaluation.loss,
            val_images=evaluation.n,
            train_images=len(pixels.only("train")),
            epochs=len(rows),
            seconds=round(seconds, 2),
        ),
        data_source=pixels.images.source,
        data_sha256=pixels.images.sha256,
        versions=_versions(),
        seed=config.seed,
        backend=keras.backend.backend(),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _versions() -> dict[str, str]:
    """Versions of the packages that take part, where installed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
