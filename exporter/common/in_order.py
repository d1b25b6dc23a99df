"""Runs many items on several workers at once, and hands out the results in the order of the items."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(workers: Sequence[Callable[[_Item], _Result]], items: Iterable[_Item]) -> Iterator[_Result]:
    """Yields the result of each item; a worker has one item at a time, in a thread of its own.

    Args:
        workers: Each does the same work, with memory of its own; they release the GIL while they compute.
        items: The items; at most one more than there are workers is taken before its result is needed.

    Raises:
        Exception: What a worker raised, at the place of its item. The others end with the item at hand.
    """
    free: SimpleQueue[Callable[[_Item], _Result]] = SimpleQueue()
    for worker in workers:
        free.put(worker)

    def work(item: _Item) -> _Result:
        worker = free.get()
        try:
            return worker(item)
        finally:
            free.put(worker)

    waiting: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(len(workers)) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > len(workers):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # Also on Ctrl-C, and if nobody asks for the rest.
            for future in waiting:
                future.cancel()
