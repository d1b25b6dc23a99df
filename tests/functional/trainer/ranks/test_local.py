"""Ranks as processes of this machine: results, events, and what one that ends does to the others."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.common.errors import DataError, EnvironmentMissingError
from tests.processes import alive
from trainer.progress import Event, Progress
from trainer.ranks.local import launch
from trainer.ranks.place import Place


def results(place: Place, progress: Progress) -> tuple[int, int, int | None]:
    progress(Event("train", place.rank, place.size))
    print("nothing of this is seen")
    return place.rank, place.size, place.local_rank


def raises(place: Place, progress: Progress) -> None:
    if place.rank == 1:
        raise DataError("The data must be there. Received: nothing.")
    time.sleep(60)


def is_killed(place: Place, progress: Progress) -> None:
    if place.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    # What the others raise then is no cause.
    time.sleep(0.3)
    raise OSError("connection reset")


def leaves(folder: Path, place: Place, progress: Progress) -> None:
    (folder / str(os.getpid())).touch()
    if place.rank == 0:
        while len(list(folder.iterdir())) < 2:
            time.sleep(0.02)
        os._exit(7)
    time.sleep(60)


def breaks(place: Place, progress: Progress) -> None:
    raise ZeroDivisionError(place.rank)


@pytest.mark.slow
def test_result_and_events_are_those_of_rank_0(capfd: pytest.CaptureFixture[str]) -> None:
    events: list[Event] = []
    assert launch(results, 3, events.append) == (0, 3, 0)
    assert events == [Event("train", 0, 3)]
    assert capfd.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "error", "said"),
    [
        (raises, DataError, "The data must be there"),
        (is_killed, EnvironmentMissingError, "rank 1 ended by SIGKILL. Run the same command"),
        (breaks, RuntimeError, "ZeroDivisionError"),
    ],
)
def test_error_of_one_ends_all(run: Any, error: type[Exception], said: str) -> None:
    started = time.monotonic()
    with pytest.raises(error, match=said):
        launch(run, 2)
    assert time.monotonic() - started < 50


@pytest.mark.slow
def test_no_rank_is_left_behind(tmp_path: Path) -> None:
    from functools import partial

    with pytest.raises(EnvironmentMissingError, match="rank 0 ended with exit code 7"):
        launch(partial(leaves, tmp_path), 2)
    assert not [path.name for path in tmp_path.iterdir() if alive(int(path.name))]
