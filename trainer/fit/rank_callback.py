"""What ranks do together during a phase. Importing this module loads Keras."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

from trainer.core.backend import load_keras
from trainer.ranks.ranks import Ranks

_keras = load_keras()


class RankCallback(_keras.callbacks.Callback):  # type: ignore[misc,name-defined]
    """Makes the figures of an epoch those of all ranks' images, and checks what goes wrong in silence.

    Ranks that do not average their gradients train models of their own, and ranks that do not divide a batch
    count every image twice: neither is slower to converge, nor says a word. So weights must be alike after every
    epoch, and each image must count once. It comes before the callbacks that decide by the figures.
    """

    def __init__(self, ranks: Ranks, core: Any, train: Any, val: Any) -> None:
        """Keeps what it needs.

        Args:
            ranks: The ranks.
            core: The ``keras.Model`` that they train.
            train: Batches of :func:`trainer.fit.batches.fit_batches`.
            val: Batches of val images.
        """
        super().__init__()
        self._ranks, self._core = ranks, core
        self._train, self._val = train.total_weight, val.total_weight
        self._figures: dict[str, float] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        """Checks that all start from the same weights."""
        self._must_be_alike("weights at the start")

    def on_test_begin(self, logs: Any = None) -> None:
        """Takes the train figures, before the val images reset them."""
        self._figures = self._of_all("", self._train)

    def on_test_end(self, logs: Any = None) -> None:
        """Takes the val figures."""
        self._figures |= self._of_all("val_", self._val)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Hands the figures to the other callbacks, which are given the same dictionary."""
        if logs is not None:
            logs.update(self._figures)
        self._must_be_alike("weights after an epoch")

    def _of_all(self, prefix: str, weight: float) -> dict[str, float]:
        """Each metric over the images of all ranks; Keras keeps a sum and a weight of each."""
        metrics = {
            part.name: part for metric in self.model.metrics for part in getattr(metric, "metrics", [metric])
        }
        sums = np.array([[_number(part.total), _number(part.count)] for part in metrics.values()])
        if self._ranks.group.figures_are_local:
            data = self._ranks.group.gather(sums.tobytes())
            sums = np.sum([np.frombuffer(found).reshape(-1, 2) for found in data], axis=0)
        counted = sums[list(metrics).index("accuracy")][1]
        if not math.isclose(counted, weight, rel_tol=1e-3):
            raise RuntimeError(f"the images of an epoch weigh {weight:.0f}, but {counted:.0f} were counted")
        if not self._ranks.group.figures_are_local:
            return {}
        return {
            prefix + name: float(total / count) for name, (total, count) in zip(metrics, sums, strict=True)
        }

    def _must_be_alike(self, what: str) -> None:
        digest = hashlib.sha256()
        for values in self._core.get_weights():
            digest.update(np.ascontiguousarray(values).tobytes())
        self._ranks.must_agree(what, digest.hexdigest())


def _number(variable: Any) -> float:
    return float(_keras.ops.convert_to_numpy(variable))
