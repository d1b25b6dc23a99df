"""What ranks agree on, and who writes where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_runtime.common.errors import DataError, EnvironmentMissingError
from tests.thread_ranks import ThreadRank, on_ranks
from trainer.ranks.group import Share
from trainer.ranks.ranks import Ranks


def test_processes_that_see_one_folder_are_members(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b", tmp_path / "a", tmp_path / "b"]
    found = on_ranks(4, lambda group: Ranks.around(group, folders[group.rank]))
    assert [ranks.members for ranks in found] == [(0, 2), (1, 3), (0, 2), (1, 3)]
    assert [ranks.leads for ranks in found] == [True, True, False, False]
    # The marks are gone.
    assert not [path for folder in folders[:2] for path in folder.iterdir()]


def test_leader_works_first_and_the_others_find_its_file(tmp_path: Path) -> None:
    made = tmp_path / "made"

    def work(group: ThreadRank) -> Any:
        def make() -> bool:
            if made.exists():
                return False
            made.touch()
            return True

        return Ranks(group, (0, 1, 2)).leader_first(make)

    assert on_ranks(3, work) == [True, False, False]


def test_error_of_one_is_raised_by_all() -> None:
    def work(group: ThreadRank) -> None:
        Ranks(group).agree_on_failure(DataError("no images") if group.rank == 1 else None)

    errors = on_ranks(3, work)
    assert [(type(error), str(error)) for error in errors] == [(DataError, "no images")] * 3


def test_ranks_that_differ_are_refused() -> None:
    errors = on_ranks(2, lambda group: Ranks(group).must_agree("data", f"hash {group.rank}"))
    assert all(isinstance(error, EnvironmentMissingError) for error in errors)
    assert "same data. Received: hash 0 on rank 0, hash 1 on rank 1" in str(errors[0])


def test_figure_of_each_becomes_the_mean_of_all() -> None:
    def work(group: ThreadRank) -> float:
        group.figures_are_local = True
        return Ranks(group).mean(float(group.rank))

    assert on_ranks(4, work) == [1.5] * 4
    assert Ranks().mean(0.25) == 0.25


@pytest.mark.parametrize(
    ("devices", "size", "images", "padded"), [(2, 2, 32, 32), (3, 3, 32, 33), (4, 2, 1, 4)]
)
def test_parts_are_equal_and_cover_the_padded_batch(
    devices: int, size: int, images: int, padded: int
) -> None:
    shares = [Share(rank, size, devices) for rank in range(size)]
    assert {share.padded(images) for share in shares} == {padded}
    rows = [list(range(padded))[share.part(padded)] for share in shares]
    assert [row for part in rows for row in part] == list(range(padded))
    assert len({len(part) for part in rows}) == 1
