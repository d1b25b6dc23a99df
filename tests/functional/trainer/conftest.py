"""Sessions of training without a data set on disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.dataset import ImageSet
from edge_runtime.dataset.imageset import Item
from trainer.config.train_config import TrainConfig
from trainer.core.cache import Pixels
from trainer.fit.checkpoint import open_checkpoint
from trainer.fit.session import EpochLog, Session
from trainer.progress import silent


@pytest.fixture
def session(tmp_path: Path) -> Any:
    """Makes sessions; the same ``key`` finds the checkpoint of an earlier one."""
    stack = ExitStack()

    def make(
        array: Any = None, labels: Any = (0, 1), val_from: int = 1, progress: Callable[..., None] = silent,
        key: str = "k", **options: Any,
    ) -> Session:  # fmt: skip
        stack.close()
        array = np.zeros((len(labels), 8, 8, 1), np.uint8) if array is None else array
        pixels = _pixels(array, [int(label) for label in labels], val_from)
        checkpoint = stack.enter_context(_kept(key, tmp_path))
        known = {"data": "d", "out": tmp_path / "out", "model": "small_cnn", "augment": "none"}
        config = TrainConfig(**{**known, **options})
        augment = config.augment if isinstance(config.augment, tuple) else ()
        return Session(config, pixels, augment, checkpoint, EpochLog(None), progress, time.monotonic())

    yield make
    stack.close()


class _InterruptedError(Exception):
    """Ends a block so that its checkpoint stays."""


class _kept:  # noqa: N801
    """An open checkpoint that stays when it is closed, as after a kill."""

    def __init__(self, key: str, folder: Path) -> None:
        self._context = open_checkpoint(key, folder, fresh=False)

    def __enter__(self) -> Any:
        return self._context.__enter__()

    def __exit__(self, *_: object) -> None:
        error = _InterruptedError()
        try:
            self._context.__exit__(_InterruptedError, error, None)
        except _InterruptedError:
            return


def _pixels(array: Any, labels: list[int], val_from: int) -> Pixels:
    """Pixels whose images from ``val_from`` on are val."""
    items = tuple(
        Item(f"{place}.png", label, "train" if place < val_from else "val", f"{place:064x}")
        for place, label in enumerate(labels)
    )
    names = tuple(f"class{index}" for index in range(max(labels) + 1))
    images = ImageSet("/data", names, items, reader=lambda item: array[int(item.ref[:-4])])
    return Pixels(images, array, np.array(labels, np.int64))
