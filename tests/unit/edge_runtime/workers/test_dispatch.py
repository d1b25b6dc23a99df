"""Who gets which photos, and what becomes of the photo for which a process ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.common.errors import EnvironmentMissingError, UsageError
from edge_runtime.score.parts import Part, Rows
from edge_runtime.score.photos import Photo
from edge_runtime.workers.crew import Failed, Finished, Machine, Opened
from edge_runtime.workers.crew import Piece as AnyPiece
from edge_runtime.workers.dispatch import TRIES, Cutting, Dispatch

Piece = AnyPiece[Photo]

Outcome = Callable[[Piece], str]


class Workers:
    """A crew in this process: what happens to a piece is decided by a function of it."""

    def __init__(self, count: int, outcome: Outcome, refused: dict[int, str] | None = None) -> None:
        refused = refused or {}
        self.outcome = outcome
        self.events: deque[Opened | Finished | Failed] = deque(
            Opened(worker, Machine(f"host-{worker}", worker, refused=refused.get(worker, "")))
            for worker in range(count)
        )
        self.given: list[Piece] = []
        self.dismissed: list[int] = []
        self.written: dict[int, Rows] = {}

    def next_event(self) -> Opened | Finished | Failed | None:
        return self.events.popleft() if self.events else None

    def give(self, worker: int, piece: Piece) -> None:
        self.given.append(piece)
        what = self.outcome(piece)
        rows: Rows = [[photo.name, None] for photo in piece.items]
        if what == "ok":
            if piece.whole:
                self.written[piece.shard] = rows
            answer = Part(piece.shard, len(rows), 0, 0.0) if piece.whole else rows
            self.events.append(Finished(worker, piece, answer))
        else:
            self.events.append(Failed(worker, piece, what, ended=what == "ended"))
            if what == "ended":
                self.events.append(Opened(worker, Machine("again", worker)))

    def dismiss(self, worker: int) -> None:
        self.dismissed.append(worker)


def nobody(reasons: str) -> EnvironmentMissingError:
    return EnvironmentMissingError(f"none that does ({reasons})")


def run(crew: Workers, shards: list[list[str]]) -> tuple[Dispatch[Photo, Part, Any], list[Part]]:
    def join(shard: int, rows: Rows) -> Part:
        assert shard not in crew.written
        crew.written[shard] = rows
        return Part(shard, len(rows), sum(values[1] is not None for values in rows), 0.0)

    dispatch = Dispatch(crew, Cutting(lambda photo, reason: [photo.name, reason], join), nobody)
    numbered = ((index, [Photo(name) for name in names]) for index, names in enumerate(shards))
    return dispatch, list(dispatch.run(numbered))


def has(piece: Piece, name: str) -> bool:
    return any(photo.name == name for photo in piece.items)


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    workers=st.integers(1, 3),
    data=st.data(),
)
def test_every_photo_is_one_row_in_order_whatever_ends_a_process(
    sizes: list[int], workers: int, data: st.DataObject
) -> None:
    shards = [[f"{shard}-{index}" for index in range(size)] for shard, size in enumerate(sizes)]
    every = [name for names in shards for name in names]
    bad = data.draw(st.dictionaries(st.sampled_from(every), st.sampled_from(["ended", "ValueError: x"])))

    def outcome(piece: Piece) -> str:
        return next((bad[photo.name] for photo in piece.items if photo.name in bad), "ok")

    crew = Workers(workers, outcome)
    dispatch, parts = run(crew, shards)
    assert sorted(part.shard for part in parts) == list(range(len(shards)))
    for shard, names in enumerate(shards):
        assert [values[0] for values in crew.written[shard]] == names
        assert [values[1] for values in crew.written[shard]] == [bad.get(name) for name in names]
    assert sorted(photo.name for photo in dispatch.given_up) == sorted(bad)
    assert sum(part.errors for part in parts) == len(bad)


def test_shard_is_tried_three_times_before_it_is_cut() -> None:
    crew = Workers(1, lambda piece: "ended" if has(piece, "d") else "ok")
    dispatch, _ = run(crew, [list("abcdefgh")])
    whole = [piece for piece in crew.given if piece.whole]
    assert len(whole) == TRIES
    # Then halves: once each, until the photo is alone, which is tried three times.
    assert ["".join(photo.name for photo in piece.items) for piece in crew.given[TRIES:]] == [
        "abcd", "efgh", "ab", "cd", "c", "d", "d", "d",
    ]  # fmt: skip
    assert dispatch.ended == TRIES + 2 + TRIES
    assert dispatch.given_up == [Photo("d")]


def test_failure_by_chance_costs_one_try() -> None:
    fails = iter(["ended"])
    crew = Workers(2, lambda piece: next(fails, "ok"))
    dispatch, parts = run(crew, [["a", "b"], ["c"]])
    assert (len(parts), dispatch.ended, dispatch.given_up) == (2, 1, [])
    assert len(crew.given) == 3


def test_worker_that_answers_otherwise_takes_no_part() -> None:
    crew = Workers(2, lambda piece: "ok", refused={0: "scores differ"})
    dispatch, parts = run(crew, [["a"], ["b"]])
    assert len(parts) == 2
    assert crew.dismissed == [0]
    assert [machine.host for machine in dispatch.refused] == ["host-0"]
    assert list(dispatch.machines) == [1]


def test_nobody_left_is_an_error_that_says_why() -> None:
    crew = Workers(2, lambda piece: "ok", refused={0: "scores differ", 1: "scores differ"})
    with pytest.raises(EnvironmentMissingError, match=r"none that does \(scores differ\)"):
        run(crew, [["a"]])


def test_process_that_ends_while_it_opens_is_tried_three_times() -> None:
    crew = Workers(1, lambda piece: "ok")
    crew.events = deque([Failed(0, None, "killed", ended=True)] * TRIES)
    with pytest.raises(EnvironmentMissingError, match="killed"):
        run(crew, [["a"]])
    assert crew.dismissed == [0]


def test_nothing_to_do_ends_at_once() -> None:
    assert run(Workers(2, lambda piece: "ok"), [])[1] == []


def test_full_disk_is_no_photos_fault() -> None:
    crew = Workers(1, lambda piece: "ok")
    error = UsageError("--out is full")
    give = crew.give

    def refuse(worker: int, piece: Piece) -> None:
        give(worker, piece)
        crew.events.clear()
        crew.events.append(Failed(worker, piece, str(error), ended=False, error=error))

    crew.give = refuse  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="is full"):
        run(crew, [["a", "b"]])
    assert [piece.whole for piece in crew.given] == [True] * TRIES
