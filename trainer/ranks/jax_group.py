"""Ranks on JAX: one program on the devices of all processes, with gradients and statistics of the whole batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from trainer.core.backend import load_keras
from trainer.ranks.group import Alone
from trainer.ranks.place import Place


class JaxGroup(Alone):
    """``keras.distribution.DataParallel`` over all devices of all processes; JAX itself adds the gradients."""

    def __init__(self, place: Place | None, watched: bool = False) -> None:
        """Joins the ranks.

        Args:
            place: This rank; None for one process with all of its devices.
            watched: Whether the ranks watch each other. JAX then lets one leave without the others; otherwise it
                waits for them, for a minute if they have ended, and aborts.

        Raises:
            Exception: What JAX raises when the ranks do not find each other.
        """
        import jax

        self.rank, self.size = (place.rank, place.size) if place is not None else (0, 1)
        self._joined = place is not None and place.size > 1
        if place is not None and self._joined:
            jax.config.update("jax_enable_recoverability", watched)
            jax.distributed.initialize(
                place.address, place.size, place.rank, local_device_ids=_own_device(place), initialization_timeout=120,
                coordinator_bind_address=place.address if place.address.startswith("127.") else None,
            )  # fmt: skip
        self.devices = jax.device_count()
        self._distribution = load_keras().distribution.DataParallel(auto_shard_dataset=False)

    def gather(self, data: bytes) -> list[bytes]:
        """See :class:`~trainer.ranks.group.Group`."""
        if self.size == 1:
            return super().gather(data)
        from jax.experimental import multihost_utils

        lengths = multihost_utils.process_allgather(np.array([len(data)], np.int32)).reshape(-1)
        padded = np.zeros(max(1, int(lengths.max())), np.uint8)
        padded[: len(data)] = np.frombuffer(data, np.uint8)
        rows = np.asarray(multihost_utils.process_allgather(padded), np.uint8).reshape(self.size, -1)
        return [row[:length].tobytes() for row, length in zip(rows, lengths, strict=True)]

    def scope(self) -> AbstractContextManager[Any]:
        """See :class:`~trainer.ranks.group.Group`."""
        scope: AbstractContextManager[Any] = self._distribution.scope()
        return scope

    @contextmanager
    def apart(self) -> Iterator[None]:
        """See :class:`~trainer.ranks.group.Group`."""
        distribution = load_keras().distribution
        kept = distribution.distribution()
        distribution.set_distribution(None)
        try:
            yield
        finally:
            distribution.set_distribution(kept)

    def close(self) -> None:
        """Leaves the ranks."""
        if self._joined:
            import jax

            jax.distributed.shutdown()


def _own_device(place: Place) -> list[int] | None:
    """The GPU of a rank, where each has its own; None for all devices of the process. CPUs have no numbers."""
    return None if place.local_rank is None else [place.local_rank]
