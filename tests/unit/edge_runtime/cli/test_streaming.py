"""Which files of a folder are new and whole, by a clock of the test's own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from edge_runtime.cli.streaming import FolderWatcher
from edge_runtime.common.errors import DataError, UsageError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A folder, and what a watcher says of it after some seconds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.watcher = FolderWatcher(folder, settle_s=1.0, clock=self.clock)

    def after(self, seconds: float) -> list[str]:
        self.clock.now += seconds
        return [Path(path).relative_to(self.folder).as_posix() for path in self.watcher.look()]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "old.jpg").write_bytes(b"old")
    return Watched(tmp_path / "in")


def test_file_is_reported_once_when_it_has_settled(watched: Watched) -> None:
    (watched.folder / "a.jpg").write_bytes(b"1")
    assert watched.after(0.5) == []
    assert watched.after(0.5) == []
    assert watched.after(0.5) == ["a.jpg"]
    assert watched.after(9) == []


def test_file_that_grows_is_not_read_half(watched: Watched) -> None:
    path = watched.folder / "a.jpg"
    for part in range(5):
        with path.open("ab") as file:
            file.write(bytes(10))
        assert watched.after(0.9) == [], part
    assert watched.after(0.9) == []
    assert watched.after(0.2) == ["a.jpg"]


def test_file_written_in_place_waits_for_its_time_of_change(watched: Watched) -> None:
    path = watched.folder / "a.jpg"
    path.write_bytes(bytes(10))
    watched.after(0.5)
    os.utime(path, ns=(1, 1))
    assert watched.after(0.6) == []
    assert watched.after(1.0) == ["a.jpg"]


def test_empty_file_is_waited_for(watched: Watched) -> None:
    (watched.folder / "a.jpg").touch()
    assert [watched.after(5), watched.after(5)] == [[], []]
    (watched.folder / "a.jpg").write_bytes(b"1")
    assert [watched.after(1), watched.after(1)] == [[], ["a.jpg"]]


def test_temporary_names_are_left_alone_until_they_are_renamed(watched: Watched) -> None:
    for name in (".a.jpg.x7", "b.jpg.part", ".c.jpg"):
        (watched.folder / name).write_bytes(b"1")
    assert [watched.after(5), watched.after(5)] == [[], []]
    (watched.folder / "b.jpg.part").rename(watched.folder / "b.jpg")
    assert [watched.after(1), watched.after(1)] == [[], ["b.jpg"]]


def test_replaced_and_rewritten_files_are_new(watched: Watched) -> None:
    other = watched.folder.parent / "other.jpg"
    other.write_bytes(b"new")
    old = watched.folder / "old.jpg"
    status = old.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(old)
    assert [watched.after(1), watched.after(1)] == [[], ["old.jpg"]]
    old.write_bytes(b"longer")
    assert [watched.after(1), watched.after(1)] == [[], ["old.jpg"]]
    old.unlink()
    watched.after(1)
    old.write_bytes(b"longer")
    assert [watched.after(1), watched.after(1)] == [[], ["old.jpg"]]


def test_folder_that_is_moved_in_is_searched_and_links_to_folders_are_not(watched: Watched) -> None:
    made = watched.folder.parent / "made" / "deep"
    made.mkdir(parents=True)
    (made / "a.PNG").write_bytes(b"1")
    (made / "loop").symlink_to(".")
    (made / "broken.jpg").symlink_to(made / "nowhere")
    os.mkfifo(made / "pipe.jpg")
    made.parent.rename(watched.folder / "made")
    assert [watched.after(1), watched.after(1)] == [[], ["made/deep/a.PNG"]]


def test_oldest_first(watched: Watched) -> None:
    names = [f"{number}.jpg" for number in (3, 6, 1, 5, 2, 4, 0)]
    for age, name in enumerate(names):
        (watched.folder / name).write_bytes(b"1")
        os.utime(watched.folder / name, (1000 + age, 1000 + age))
    assert [watched.after(1), watched.after(1)] == [[], names]


def test_folder_that_is_not_there_is_an_error(watched: Watched) -> None:
    with pytest.raises(DataError, match="--watch must be"):
        FolderWatcher(watched.folder / "old.jpg", 1.0)
    shutil.rmtree(watched.folder)
    with pytest.raises(DataError, match="--watch must be"):
        watched.after(1)


@pytest.mark.parametrize("settle", [-1.0, float("nan"), float("inf")])
def test_time_to_settle_must_pass_some_day(tmp_path: Path, settle: float) -> None:
    with pytest.raises(UsageError, match="must settle for 0 s or more"):
        FolderWatcher(tmp_path, settle)
