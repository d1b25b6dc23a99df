"""Training, from labelled images to a run folder.

Stages::

    config, weights file, --out, packages    whatever can be checked at once is
    -> data      open, hash, split                   edge_runtime.dataset
    -> pixels    decode once into a memory map       cache
    -> checks    leaks, copies, small classes        trainer.data_checks
    -> model     build, with weights                 models
    -> fit       plain, or head then fine-tuning     plain, transfer; checkpoint after every epoch
    -> evaluate  the trained model, on val           evaluation
    -> save      whole or not at all                 publish
"""

from __future__ import annotations

import datetime
import os
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_runtime.common.atomic_folder import check_folder
from edge_runtime.common.errors import DataError, UsageError
from edge_runtime.common.versions import versions_of
from edge_runtime.dataset import ImageSet, open_dataset
from edge_runtime.image.input_spec import InputSpec
from trainer.analysis.report import check_report_packages, write_report
from trainer.augmentation import resolve_augmentations
from trainer.config.schedule import describe_plan, resolved_config
from trainer.config.train_config import TrainConfig
from trainer.core.backend import load_keras
from trainer.core.cache import Pixels, cached_pixels, ensure_downloaded
from trainer.core.precision import FLOAT, resolved_precision
from trainer.data_checks import data_warnings
from trainer.evaluation.evaluation import Evaluation, evaluate_scores, predict
from trainer.fit.checkpoint import checkpoint_key, open_checkpoint
from trainer.fit.session import EpochLog, Session
from trainer.fit.training_model import SCORES
from trainer.fit.transfer import train_plain, train_transfer
from trainer.models import build
from trainer.models.weights import check_weights, weights_sha256
from trainer.progress import Event, Progress, silent
from trainer.run.run_folder import check_out, new_run_folder
from trainer.run.run_json import (
    HISTORY_FILE,
    MODEL_FILE,
    SCHEMA_VERSION,
    DataItem,
    DataRecord,
    RunMetrics,
    RunRecord,
    history_csv,
    write_data,
    write_run,
)

_PACKAGES = ("snapship", "keras", "tensorflow", "jax", "torch", "numpy", "pillow")


@dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes:
        path: The folder.
        record: Its ``run.json``.
        evaluation: The model evaluated on val.
    """

    path: Path
    record: RunRecord
    evaluation: Evaluation


def train(config: TrainConfig, progress: Progress = silent) -> Run:
    """Trains a classifier and writes a run folder.

    An interrupted run, even a killed one, resumes after its last epoch when it is started
    again with the same configuration, data, weights and versions, and produces the same model.

    Args:
        config: The configuration.
        progress: Progress callback; training itself prints nothing.

    Returns:
        The finished run. On any error, or Ctrl-C, no folder is left behind.

    Raises:
        UsageError: ``out`` already exists, or the weights file is missing or does not fit.
        DataError: The data cannot be used.
        EnvironmentMissingError: Keras, another package or the network is missing.
    """
    out = check_out(config.out, config.overwrite)
    if config.pretrained and config.weights is not None and config.weights != "imagenet":
        check_weights(config.model, config.weights)
    _check_writable_names(config, out)
    check_folder(out)
    check_report_packages()
    _check_logs(config, out)
    # Opened before anything slow.
    with closing(EpochLog(config.logs)) as log:
        return _train(config, out, log, progress)


def _train(config: TrainConfig, out: Path, log: EpochLog, progress: Progress) -> Run:
    """Trains, after everything that can be checked at once."""
    started = time.monotonic()
    progress(Event("data", message=describe_plan(config)))
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
    warnings = data_warnings(images, pixels, progress)
    for line in warnings:
        progress(Event("checks", message=line))
    # Decided before the checkpoint is named: a run that another machine goes on with must not mix precisions.
    precision = resolved_precision(config.precision)
    if precision not in (config.precision, FLOAT):
        told = f"training in {precision}, which this machine multiplies; --precision float32 trains in full precision"
        progress(Event("checks", message=told))
    config = replace(config, precision=precision)
    with open_checkpoint(_key(config, pixels, spec, out), config.cache_dir, config.fresh) as checkpoint:
        augment = resolve_augmentations(config.augment, pixels.images.native_size is not None)
        session = Session(config, pixels, augment, checkpoint, log, progress, started)
        try:
            model = fit_model(session, spec)
            return _publish(session, model, spec, out, warnings)
        except KeyboardInterrupt:
            if checkpoint.has_state:
                again = "the same command without --fresh" if config.fresh else "the same command"
                progress(Event("save", message=f"interrupted: run {again} to resume"))
            raise


def fit_model(session: Session, spec: InputSpec) -> Any:
    """Builds the model and trains it.

    Args:
        session: The run.
        spec: The model's input.

    Returns:
        A float32 ``keras.Model`` on raw pixels, whatever the training precision.
    """
    config = session.config
    session.progress(Event("model", 0, 0, f"building {config.model}"))
    keras = load_keras()
    kept = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.precision)
    try:
        model = _build(config, spec, session.classes)
        # Logits with 8 bits of mantissa would be too coarse for the loss.
        model.get_layer(SCORES).dtype_policy = keras.dtype_policies.DTypePolicy("float32")
        (train_transfer if config.pretrained else train_plain)(model, session)
    finally:
        keras.config.set_dtype_policy(kept)
    if config.precision == "float32":
        return model
    # From the same weights, which decide what is built; the numbers are replaced below.
    plain = _build(config, spec, session.classes)
    plain.set_weights(model.get_weights())
    for layer in plain.layers:
        if isinstance(layer, keras.layers.Normalization):
            # The layer computes with copies of its weights, taken here.
            layer.finalize_state()
    return plain


def _build(config: TrainConfig, spec: InputSpec, classes: int) -> Any:
    load_keras().utils.set_random_seed(config.seed)
    weights = config.weights if config.pretrained else None
    return build(
        config.model, input_shape=spec.shape, classes=classes, weights=weights, width=config.width,
        pixel_range=config.pixel_range,
    )  # fmt: skip


def _publish(session: Session, model: Any, spec: InputSpec, out: Path, warnings: tuple[str, ...]) -> Run:
    """Evaluates the model and writes the run folder."""
    config, pixels, progress = session.config, session.pixels, session.progress
    with new_run_folder(out, config.overwrite) as folder:
        model.save(folder / MODEL_FILE)
        progress(Event("evaluate", 0, 0, "evaluating"))
        scores = predict(model, pixels.array, session.val, progress)
        evaluation = evaluate_scores(
            scores, pixels.labels[session.val], pixels.images.labels, session.seconds()
        )
        record = _record(session, spec, evaluation, out)
        (folder / HISTORY_FILE).write_text(history_csv(session.rows), "utf-8")
        items = tuple(DataItem(item.ref, item.label, item.split, item.sha256) for item in pixels.images.items)
        write_data(
            folder, DataRecord(pixels.images.source, pixels.images.labels, items, pixels.images.skipped)
        )
        write_report(folder, record, session.rows, evaluation, scores, pixels, model=model, warnings=warnings)
        write_run(folder, record)
    progress(Event("save", 1, 1, f"saved {out}"))
    return Run(out, record, evaluation)


def _key(config: TrainConfig, pixels: Pixels, spec: InputSpec, out: Path) -> str:
    """Name of the checkpoint: everything that determines the model, and its destination."""
    record = config.record()
    for name in ("overwrite", "fresh", "logs", "cache_dir"):
        del record[name]
    weights = config.weights if config.pretrained and config.weights != "imagenet" else None
    return checkpoint_key(
        {
            **record,
            "out": str(out),
            "data": pixels.images.sha256,
            "order": [item.ref for item in pixels.images.items],
            "labels": pixels.images.labels,
            "input": [spec.shape, spec.fit],
            "weights_sha256": weights_sha256(weights) if weights is not None else None,
            "backend": load_keras().backend.backend(),
            "versions": versions_of(_PACKAGES),
        }
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


def _check_trainable(images: ImageSet) -> None:
    """Refuses data without val images, or with a class that has no train images."""
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


def _describe(images: ImageSet) -> str:
    train = len(images.only("train"))
    skipped = f", {len(images.skipped)} files skipped" if images.skipped else ""
    return f"{len(images.labels)} classes, {train} train and {len(images) - train} val images{skipped}"


def _record(session: Session, spec: InputSpec, evaluation: Evaluation, out: Path) -> RunRecord:
    config, pixels, rates = session.config, session.pixels, session.rates
    used = resolved_config(config, spec, pixels.images.native_size is not None)
    # What really ran: with the rates that were found, without phases that had nothing to train.
    used["phases"] = [
        phase | {"learning_rate": rates[phase["name"]]} for phase in used["phases"] if phase["name"] in rates
    ]
    if config.pretrained and len(used["phases"]) < 2:
        used["fine_tune_epochs"] = 0
    return RunRecord(
        schema_version=SCHEMA_VERSION,
        name=out.name,
        model=config.model,
        labels=pixels.images.labels,
        input=spec,
        config=used,
        metrics=RunMetrics(
            val_top1=evaluation.top1,
            val_loss=evaluation.loss,
            val_images=evaluation.n,
            train_images=len(session.train),
            epochs=len(session.rows),
            seconds=round(session.seconds(), 2),
        ),
        data_source=pixels.images.source,
        data_sha256=pixels.images.sha256,
        versions=versions_of(_PACKAGES),
        seed=config.seed,
        backend=load_keras().backend.backend(),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
