"""A run folder is made whole or not at all, and never over anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.common.errors import DataError, UsageError
from trainer.run.run_folder import check_out, new_run_folder
from trainer.run.run_json import RUN_FILE


def make_run(
    out: Path, text: str = "new", overwrite: bool = False, error: BaseException | None = None
) -> None:
    with new_run_folder(check_out(out, overwrite), overwrite) as folder:
        (folder / RUN_FILE).write_text(text)
        if error is not None:
            raise error


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_folder_appears_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "er" / "run"
    with new_run_folder(check_out(out, False), False) as folder:
        (folder / RUN_FILE).write_text("new")
        assert not out.exists()
    assert (out / RUN_FILE).read_text() == "new"
    assert listing(tmp_path) == ["deep", "deep/er", "deep/er/run", "deep/er/run/run.json"]


def test_run_folder_is_readable_for_others_as_any_folder(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    (tmp_path / "other").mkdir()
    assert (tmp_path / "run").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_empty_folder_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    make_run(tmp_path / "run")
    assert listing(tmp_path) == ["run", "run/run.json"]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(1), DataError("no"), ValueError("no"), OSError(28, "disk full")]
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_failure_leaves_what_was_there(tmp_path: Path, error: BaseException, overwrite: bool) -> None:
    if overwrite:
        make_run(tmp_path / "run", "old")
    before = listing(tmp_path)
    expected = UsageError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        make_run(tmp_path / "run", "half", overwrite, error)
    assert listing(tmp_path) == before
    if overwrite:
        assert (tmp_path / "run" / RUN_FILE).read_text() == "old"


def test_overwrite_replaces_a_run(tmp_path: Path) -> None:
    make_run(tmp_path / "run", "old")
    with pytest.raises(UsageError, match="add --overwrite"):
        make_run(tmp_path / "run")
    make_run(tmp_path / "run", "new", overwrite=True)
    assert (tmp_path / "run" / RUN_FILE).read_text() == "new"
    assert listing(tmp_path) == ["run", "run/run.json"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_nothing_foreign_is_replaced(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    make_run(tmp_path / "mixed")
    (tmp_path / "mixed" / "notes.txt").write_text("mine")
    before = listing(tmp_path)
    for name, words in (("photos", "cat.jpg"), ("file", "not a folder"), ("link", "not a folder"),
                        ("mixed", "notes.txt")):  # fmt: skip
        with pytest.raises(UsageError, match=words) as caught:
            check_out(tmp_path / name, overwrite)
        assert "\n" not in str(caught.value)
    assert listing(tmp_path) == before


def test_folder_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = check_out(tmp_path / "run", True)

    def meet_another() -> None:
        with new_run_folder(out, True) as folder:
            (folder / RUN_FILE).write_text("new")
            out.mkdir()
            (out / "mine").write_text("x")

    with pytest.raises(UsageError, match="mine"):
        meet_another()
    assert listing(tmp_path) == ["run", "run/mine"]


def test_closed_pipe_is_no_fault_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), new_run_folder(tmp_path / "run", False):
        raise BrokenPipeError
    assert listing(tmp_path) == []


def test_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file" / "run", tmp_path / ("x" * 300)):
        with pytest.raises(UsageError, match="Received:") as caught:
            make_run(out)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="an empty string"):
        check_out("", False)
    assert listing(tmp_path) == ["file"]


def test_mount_point_is_refused() -> None:
    with pytest.raises(UsageError, match="a mount point"):
        check_out("/proc", False)
