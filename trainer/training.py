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
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.common.errors import SnapshipError
from edge_runtime.common.versions import versions_of
from edge_runtime.dataset import ImageSet, open_dataset
from edge_runtime.image.input_spec import InputSpec
from trainer.analysis.report import write_report
from trainer.augmentation import resolve_augmentations
from trainer.config.schedule import describe_plan, resolved_config
from trainer.config.train_config import TrainConfig
from trainer.core.backend import load_keras
from trainer.core.cache import Pixels, cached_pixels, ensure_downloaded
from trainer.core.precision import FLOAT, resolved_precision
from trainer.data_checks import data_warnings
from trainer.evaluation.evaluation import Evaluation, evaluate_scores, predict
from trainer.fit.checkpoint import cache_root, checkpoint_key, open_rank_checkpoint
from trainer.fit.session import EpochLog, Session
from trainer.fit.training_model import SCORES
from trainer.fit.transfer import train_plain, train_transfer
from trainer.models import build
from trainer.models.weights import weights_sha256
from trainer.progress import Event, Progress, silent
from trainer.ranks.local import launch
from trainer.ranks.opening import opened_group, processes
from trainer.ranks.place import Place, ray_address
from trainer.ranks.ranks import Ranks
from trainer.run.run_folder import new_run_folder
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
from trainer.training_checks import check_at_once, check_devices, check_trainable

_PACKAGES = ("snapship", "keras", "tensorflow", "jax", "torch", "numpy", "pillow")


@dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes:
        path: The folder.
        record: Its ``run.json``.
        evaluation: The model evaluated on val.
        written: Whether this process wrote it; of several ranks, only the first does.
    """

    path: Path
    record: RunRecord
    evaluation: Evaluation
    written: bool = True


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
    check_at_once(config)
    if (address := ray_address(config.distributed)) is not None:
        from trainer.ray_training import train_on_ray

        return Run(Path(os.path.abspath(config.out)), *train_on_ray(config, address, train_rank, progress))
    count = processes(config.distributed)
    if count is None:
        return train_rank(config, None, progress)
    try:
        return launch(partial(train_rank, config), count, progress)
    except KeyboardInterrupt:
        _tell_how_to_resume(config, progress)
        raise


def train_rank(
    config: TrainConfig, place: Place | None, progress: Progress = silent, folder: Path | None = None
) -> Run:
    """Trains as one of several ranks, all of which call this with the same configuration.

    Args:
        config: The configuration.
        place: Which rank this process is; None if the configuration says it.
        progress: Progress callback, called on rank 0.
        folder: Where rank 0 writes the run; None for the configuration's ``out``, which names the run in any case.

    Returns:
        As for :func:`train`; the folder is on rank 0's machine.

    Raises:
        SnapshipError: As for :func:`train`.
    """
    with opened_group(config.distributed, place) as group:
        ranks = Ranks.around(group, cache_root(config.cache_dir))
        # Opened before anything slow.
        with closing(EpochLog(config.logs if ranks.first else None)) as log:
            return _train(config, ranks, log, progress if ranks.first else silent, folder)


def _train(config: TrainConfig, ranks: Ranks, log: EpochLog, progress: Progress, folder: Path | None) -> Run:
    """Trains, after everything that can be checked at once."""
    out = folder or Path(os.path.abspath(config.out))
    started = time.monotonic()
    progress(Event("data", message=describe_plan(config)))
    if config.distributed == "auto" and ranks.alone:
        progress(Event("data", message="training on one device: this machine has no second GPU"))
    ranks.leader_first(lambda: ensure_downloaded(config.data, progress))
    progress(Event("data", 0, 0, f"opening {os.fspath(config.data)}"))
    images = open_dataset(config.data)
    check_trainable(images)
    spec = config.input_spec(images.native_size, images.gray)
    progress(Event("data", 1, 1, _describe(images)))
    pixels = ranks.leader_first(lambda: cached_pixels(images, spec, config.cache_dir, progress))
    ranks.must_agree("data", pixels.images.sha256)
    check_trainable(pixels.images)
    for line in pixels.images.skipped[:10]:
        progress(Event("pixels", message=f"skipped {line}"))
    warnings = data_warnings(images, pixels, progress) if ranks.first else ()
    for line in warnings:
        progress(Event("checks", message=line))
    # Decided before the checkpoint is named: a run that another machine goes on with must not mix precisions.
    precision = resolved_precision(config.precision)
    if precision not in (config.precision, FLOAT):
        told = f"training in {precision}, which this machine multiplies; --precision float32 trains in full precision"
        progress(Event("checks", message=told))
    config = replace(config, precision=precision)
    check_devices(config, ranks)
    key = _key(config, pixels, spec, ranks)
    ranks.must_agree("options, weights and versions", key)
    with open_rank_checkpoint(key, config.cache_dir, config.fresh, ranks) as checkpoint:
        augment = resolve_augmentations(config.augment, pixels.images.native_size is not None)
        session = Session(config, pixels, augment, checkpoint, log, progress, started, ranks)
        try:
            model = fit_model(session, spec)
            return _run_of_first(session, lambda: _publish(session, model, spec, out, warnings))
        except KeyboardInterrupt:
            if checkpoint.has_state:
                _tell_how_to_resume(config, progress)
            raise


def _tell_how_to_resume(config: TrainConfig, progress: Progress) -> None:
    again = "the same command without --fresh" if config.fresh else "the same command"
    progress(Event("save", message=f"interrupted: run {again} to resume"))


def fit_model(session: Session, spec: InputSpec) -> Any:
    """Builds the model and trains it.

    Args:
        session: The run.
        spec: The model's input.

    Returns:
        A float32 ``keras.Model`` on raw pixels, whatever the training precision, on one device.
    """
    config = session.config
    session.progress(Event("model", 0, 0, f"building {config.model}"))
    keras = load_keras()
    kept = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.precision)
    try:
        with session.ranks.group.scope():
            model = _build(config, spec, session.classes)
            # Logits with 8 bits of mantissa would be too coarse for the loss.
            model.get_layer(SCORES).dtype_policy = keras.dtype_policies.DTypePolicy("float32")
            (train_transfer if config.pretrained else train_plain)(model, session)
    finally:
        keras.config.set_dtype_policy(kept)
    if config.precision == "float32" and session.ranks.alone:
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


def _run_of_first(session: Session, publish: Callable[[], Run]) -> Run:
    """Lets rank 0 write the run; the others wait, and return the same."""
    ranks, made, failure = session.ranks, None, None
    if ranks.first:
        try:
            made = publish()
        except SnapshipError as error:
            failure = error
    ranks.agree_on_failure(failure)
    kept = b"" if made is None else msgspec.json.encode((made.record, made.evaluation))
    record, evaluation = msgspec.json.decode(ranks.from_first(kept), type=tuple[RunRecord, Evaluation])
    return made or Run(Path(os.path.abspath(session.config.out)), record, evaluation, written=False)


def _key(config: TrainConfig, pixels: Pixels, spec: InputSpec, ranks: Ranks) -> str:
    """Name of the checkpoint: everything that determines the model, and its destination."""
    record = config.record()
    for name in ("overwrite", "fresh", "logs", "cache_dir", "distributed"):
        del record[name]
    if not ranks.alone:
        record["devices"] = [ranks.group.devices, ranks.group.figures_are_local and ranks.group.size]
    weights = config.weights if config.pretrained and config.weights != "imagenet" else None
    return checkpoint_key(
        {
            **record,
            "out": os.path.abspath(config.out),
            "data": pixels.images.sha256,
            "order": [item.ref for item in pixels.images.items],
            "labels": pixels.images.labels,
            "input": [spec.shape, spec.fit],
            "weights_sha256": weights_sha256(weights) if weights is not None else None,
            "backend": load_keras().backend.backend(),
            "versions": versions_of(_PACKAGES),
        }
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
