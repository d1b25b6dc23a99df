"""Engines that score images together: each image once, the same scores, one thread that reports."""

import threading
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from edge_runtime.bundle.manifest import TensorSpec
from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines.base import ScoresOnly
from edge_runtime.engines.cascade import CascadeEngine
from exporter.source import engine_team
from exporter.source.engine_team import FEWEST_IMAGES, MOST_BYTES, score_together, team_size

COUNT = 10 * FEWEST_IMAGES
PIXELS = np.arange(COUNT, dtype=np.uint8).reshape(COUNT, 1, 1, 1)


class Fake(ScoresOnly):
    """Answers the pixel's value; a barrier makes sure that all engines of a team take part."""

    name = "fake"
    input = TensorSpec("image", "uint8", (1, 1, 1, 1), 1.0, 0)
    output = TensorSpec("scores", "float32", (1, 2))

    def __init__(self, start: threading.Barrier | None = None) -> None:
        self.seen: list[int] = []
        self.closed = False
        self._start = start

    def run(self, pixels: Any) -> Any:
        if not self.seen and self._start is not None:
            self._start.wait(10)
        value = int(pixels[0, 0, 0])
        self.seen.append(value)
        return np.array([value, 100 - value], dtype=np.float32) / 100

    def close(self) -> None:
        self.closed = True


def scored(
    first: Any, another: Callable[[], Any], size: int, told: Callable[[int], None] = lambda done: None
) -> Any:
    scores = np.full((COUNT, 2), np.nan, dtype=np.float32)
    score_together(cast(Any, first), another, size, PIXELS, scores, told)
    return scores


def test_the_scores_are_those_of_one_engine_and_each_image_is_scored_once() -> None:
    start = threading.Barrier(3)
    team = [Fake(start) for _ in range(3)]
    rest = iter(team[1:])
    together = scored(team[0], lambda: next(rest), 3)
    alone = Fake()
    np.testing.assert_array_equal(together, scored(alone, Fake, 1))
    assert sorted(value for one in team for value in one.seen) == sorted(alone.seen) == list(range(COUNT))
    assert [one.closed for one in team] == [False, True, True]


def test_a_few_images_open_no_further_engine() -> None:
    opened: list[Fake] = []
    scores = np.empty((FEWEST_IMAGES, 2), dtype=np.float32)
    score_together(
        Fake(), lambda: opened.append(Fake()) or opened[0], 4, PIXELS[:FEWEST_IMAGES], scores, print
    )
    assert not opened


def test_only_the_calling_thread_reports_and_its_last_number_is_the_total() -> None:
    start, told, threads = threading.Barrier(2), list[int](), set[int]()

    def tell(done: int) -> None:
        told.append(done)
        threads.add(threading.get_ident())

    scored(Fake(start), lambda: Fake(start), 2, tell)
    assert threads == {threading.get_ident()}
    assert told == sorted(told)
    assert told[-1] == COUNT


def test_the_error_is_that_of_the_first_image_that_is_refused_though_a_later_one_fails_before() -> None:
    later = threading.Event()

    class Refuses(Fake):
        def run(self, pixels: Any) -> Any:
            value = int(super().run(pixels)[0] * 100 + 0.5)
            if value == 3:
                assert later.wait(10)
            if value in (3, 4):
                later.set()
                raise ModelFileError(f"refuses {value}")
            return np.zeros(2, dtype=np.float32)

    start = threading.Barrier(2)
    helper = Refuses(start)
    with pytest.raises(ModelFileError, match="refuses 3"):
        scored(Refuses(start), lambda: helper, 2)
    assert helper.closed


def test_an_interrupt_ends_the_others_with_the_image_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped, stop = threading.Event(), engine_team._Work.stop

    def stop_and_tell(work: engine_team._Work) -> None:
        stop(work)
        stopped.set()

    monkeypatch.setattr(engine_team._Work, "stop", stop_and_tell)

    class Slow(Fake):
        def run(self, pixels: Any) -> Any:
            scores = super().run(pixels)
            stopped.wait(10)
            return scores

    start = threading.Barrier(2)
    helper = Slow(start)

    def interrupt(done: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scored(Fake(start), lambda: helper, 2, interrupt)
    assert helper.closed
    assert len(helper.seen) == 1


def test_an_engine_that_does_not_open_again_leaves_its_share_to_the_first() -> None:
    def refuse() -> Fake:
        raise ModelFileError("out of memory")

    first = Fake()
    scored(first, refuse, 2)
    assert len(first.seen) == COUNT


def test_the_counts_of_a_cascade_are_those_of_the_whole_team() -> None:
    start = threading.Barrier(2)

    def cascade() -> CascadeEngine:
        return CascadeEngine(cast(Any, Fake(start)), cast(Any, Fake()), 0.5)

    first = cascade()
    scored(first, cascade, 2)
    alone = CascadeEngine(cast(Any, Fake()), cast(Any, Fake()), 0.5)
    scored(alone, Fake, 1)
    assert (first.seen, first.passed_on) == (alone.seen, alone.passed_on)
    assert 0 < first.passed_on < first.seen == COUNT


def test_the_size_of_a_team_follows_cores_threads_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_team, "cores", lambda: 8)
    assert team_size(1_000) == 8
    assert team_size(1_000, threads=4) == 2
    assert team_size(1_000, threads=16) == 1
    assert team_size(0) == 8
    assert team_size(MOST_BYTES // 9) == 4
    assert team_size(MOST_BYTES) == 1
