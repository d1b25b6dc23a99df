"""Several workers at once, results in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from exporter.common.in_order import in_order


def test_results_come_in_the_order_of_the_items() -> None:
    second_is_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            # The first item ends after the second.
            assert second_is_done.wait(10)
        elif item == 1:
            second_is_done.set()
        return 10 * item

    assert list(in_order([work, work], range(5))) == [0, 10, 20, 30, 40]


def test_a_worker_has_one_item_at_a_time() -> None:
    busy, other_went_on = [threading.Lock(), threading.Lock()], threading.Event()

    def worker(lock: threading.Lock) -> Callable[[int], int]:
        def work(item: int) -> int:
            assert lock.acquire(blocking=False)
            if item == 0:
                # Busy until the other worker has had two items.
                assert other_went_on.wait(10)
            elif item == 2:
                other_went_on.set()
            lock.release()
            return item

        return work

    assert list(in_order([worker(lock) for lock in busy], range(50))) == list(range(50))


def test_items_are_taken_only_as_far_as_needed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    found = in_order([lambda item: item] * 2, items())
    assert next(found) == 0
    found.close()
    assert len(taken) <= 4


def test_an_error_comes_at_the_place_of_its_item() -> None:
    def work(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    found = in_order([work, work], range(100))
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(found)
