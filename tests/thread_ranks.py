"""Ranks that are threads of one process: what they do together, without a backend."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from trainer.ranks.group import Alone


class ThreadRank(Alone):
    """One of several threads; ``gather`` waits for the others."""

    def __init__(self, rank: int, size: int, barrier: threading.Barrier, told: list[bytes]) -> None:
        self.rank, self.size, self.devices = rank, size, size
        self._barrier, self._told = barrier, told

    def gather(self, data: bytes) -> list[bytes]:
        self._told[self.rank] = data
        self._barrier.wait()
        found = list(self._told)
        # Nobody writes before all have read.
        self._barrier.wait()
        return found


def on_ranks(size: int, work: Callable[[ThreadRank], Any]) -> list[Any]:
    """What each rank returns, or the error that it raises."""
    barrier, told = threading.Barrier(size, timeout=60), [b""] * size

    def one(rank: int) -> Any:
        try:
            return work(ThreadRank(rank, size, barrier, told))
        except Exception as error:
            return error

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(one, range(size)))
