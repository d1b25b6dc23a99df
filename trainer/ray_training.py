"""Training on the machines of a Ray cluster, into a run folder on this one."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cluster.connection import SENT, joined
from cluster.ranks import run_ranks
from trainer.config.train_config import TrainConfig
from trainer.core.backend import chosen_backend
from trainer.evaluation.evaluation import Evaluation
from trainer.fit.checkpoint import cache_root
from trainer.progress import Event, Progress
from trainer.ranks.opening import check_backend
from trainer.ranks.place import Place
from trainer.ranks.watch import ended
from trainer.run.run_folder import new_run_folder
from trainer.run.run_json import RunRecord

TrainRank = Callable[[TrainConfig, Place, Progress, Path], Any]
"""Trains as a rank and writes the run to a folder; returns a ``Run``."""

Trained = tuple[RunRecord, Evaluation, bytes]
"""The record, the evaluation, and the run folder as a zip."""


def train_on_ray(
    config: TrainConfig, address: str, train_rank: TrainRank, progress: Progress
) -> tuple[RunRecord, Evaluation]:
    """Trains on all GPUs of a cluster, or on all of its machines where it has none.

    Args:
        config: The configuration; data and weights must be there on every machine, under the same path.
        address: The cluster's, as ``--ray`` of ``snapship score``.
        train_rank: :func:`trainer.training.train_rank`, which calls this.
        progress: Progress callback.

    Returns:
        What the run folder says.

    Raises:
        SnapshipError: As for :func:`trainer.training.train`; no cluster answers, or a rank ended.
    """
    check_backend(2)
    out = os.path.abspath(config.out)
    data, weights = (
        os.path.abspath(value) if value is not None and os.path.exists(value) else value
        for value in (config.data, config.weights)
    )
    assert data is not None
    # Ray Train changes the working folder.
    cache = None if config.cache_dir is None else os.path.abspath(config.cache_dir)
    config = replace(
        config, distributed=None, logs=None, data=data, weights=weights, out=out, cache_dir=cache
    )

    def tell(event: Event) -> None:
        # A rank says where it saved on its machine.
        if event.stage != "save":
            progress(event)

    with joined(address, (*SENT, "trainer")) as ray:
        trained = run_ranks(
            ray, partial(_rank, config, train_rank), tell, {"KERAS_BACKEND": chosen_backend()}, ended
        )
    # Rank 0 always has one.
    assert trained is not None
    record, evaluation, archive = trained
    with new_run_folder(Path(out), config.overwrite) as folder:
        zipfile.ZipFile(io.BytesIO(archive)).extractall(folder)
    progress(Event("save", 1, 1, f"saved {out}"))
    return record, evaluation


def _rank(
    config: TrainConfig,
    train_rank: TrainRank,
    rank: int,
    size: int,
    address: str,
    tell: Callable[[Event], None],
) -> Trained | None:
    """What a rank does, on its machine."""
    out = Path(config.out)
    # On this machine, and the same when the command goes on.
    kept = cache_root(config.cache_dir) / "ray" / hashlib.sha256(str(out).encode()).hexdigest()[:32]
    place = kept / out.name
    # Ray shows each rank its own GPU as the first.
    run = train_rank(replace(config, overwrite=True), Place(rank, size, 0, address), tell, place)
    if not run.written:
        return None
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for path in sorted(place.iterdir()):
            archive.write(path, path.name)
    shutil.rmtree(kept, ignore_errors=True)
    return run.record, run.evaluation, held.getvalue()
