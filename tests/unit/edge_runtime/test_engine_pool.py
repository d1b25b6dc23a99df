"""Engines shared by threads: never two threads in one, never more than allowed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from edge_runtime.bundle.manifest import TensorSpec
from edge_runtime.common.errors import ModelFileError, UsageError
from edge_runtime.engine_pool import EnginePool
from edge_runtime.engines import Engine
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array


class Counting:
    """An engine that only knows whether it is closed."""

    name = "counting"
    input = output = TensorSpec("x", "float32", (1,))

    def __init__(self) -> None:
        self.closed = 0

    def run(self, pixels: UInt8Array) -> Float32Array:
        raise NotImplementedError

    def close(self) -> None:
        self.closed += 1


@contextmanager
def lent(pool: EnginePool) -> Iterator[Engine]:
    engine = pool.take()
    try:
        yield engine
    finally:
        pool.give(engine)


@pytest.fixture
def made() -> list[Counting]:
    return []


@pytest.fixture
def pool(made: list[Counting]) -> EnginePool:
    def make() -> Engine:
        made.append(Counting())
        return made[-1]

    return EnginePool(make)


def test_first_engine_is_made_at_once_and_used_again(pool: EnginePool, made: list[Counting]) -> None:
    for _ in range(3):
        with lent(pool) as engine:
            assert engine is pool.first
    assert len(made) == 1


@pytest.mark.parametrize("limit", [1, 3])
def test_threads_never_share_an_engine(pool: EnginePool, made: list[Counting], limit: int) -> None:
    pool.raise_limit(limit)
    lock, out, most = threading.Lock(), set[int](), [0]

    def work(_: int) -> None:
        with lent(pool) as engine:
            with lock:
                assert id(engine) not in out
                out.add(id(engine))
                most[0] = max(most[0], len(out))
            time.sleep(0.002)
            with lock:
                out.remove(id(engine))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(60)))
    assert len(made) == limit
    assert most[0] == limit


def test_limit_never_falls(pool: EnginePool, made: list[Counting]) -> None:
    pool.raise_limit(2)
    pool.raise_limit(1)
    with lent(pool) as first, lent(pool) as second:
        assert first is not second


def test_waiting_thread_gets_the_engine_that_comes_back(pool: EnginePool) -> None:
    got = threading.Event()

    def wait() -> None:
        with lent(pool):
            got.set()

    with lent(pool):
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        assert not got.wait(0.05)
    thread.join(5)
    assert got.is_set()


def test_close_ends_idle_engines_now_and_lent_ones_later(pool: EnginePool, made: list[Counting]) -> None:
    pool.raise_limit(2)
    with lent(pool), lent(pool):
        pass
    with lent(pool) as engine:
        pool.close()
        idle = next(other for other in made if other is not engine)
        assert idle.closed == 1
        assert engine is not idle
    assert [engine.closed for engine in made] == [1, 1]
    with pytest.raises(UsageError, match="open"), lent(pool):
        pass


def test_close_wakes_a_waiting_thread(pool: EnginePool) -> None:
    errors: list[Exception] = []

    def wait() -> None:
        try:
            with lent(pool):
                pass
        except UsageError as error:
            errors.append(error)

    with lent(pool):
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        time.sleep(0.05)
        pool.close()
        thread.join(5)
    assert not thread.is_alive()
    assert len(errors) == 1


def test_engine_that_cannot_be_made_does_not_take_a_place() -> None:
    calls = []

    def make() -> Engine:
        calls.append(1)
        if len(calls) == 2:
            raise ModelFileError("once")
        return Counting()

    pool = EnginePool(make)
    pool.raise_limit(2)
    with lent(pool):
        with pytest.raises(ModelFileError), lent(pool):
            pass
        with lent(pool):
            assert len(calls) == 3
