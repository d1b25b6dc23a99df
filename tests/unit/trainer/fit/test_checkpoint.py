"""Checkpoints: whole or not there, locked, removed at the end, forgotten when old."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.common.errors import UsageError
from edge_runtime.common.temporary import temporary_file
from trainer.fit.checkpoint import KEPT_DAYS, checkpoint_key, open_checkpoint

ARRAYS = [np.arange(3, dtype=np.float32), np.zeros((0, 2)), np.int64(7)]


def test_saved_state_comes_back_and_goes_with_success(tmp_path: Path) -> None:
    with open_checkpoint("k", tmp_path, fresh=False) as checkpoint:
        checkpoint.save("head", {"epoch": 2}, ARRAYS, needed=True)
        saved = checkpoint.load("head")
        assert saved is not None
        assert saved.note == {"epoch": 2}
        for mine, theirs in zip(saved.arrays, ARRAYS, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert checkpoint.load("fine-tune") is None
        assert not list(checkpoint.folder.glob("*.tmp"))
    assert not list((tmp_path / "checkpoints").iterdir())


def test_state_stays_after_a_failure_and_fresh_forgets_it(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_checkpoint("k", tmp_path, fresh=False) as checkpoint:  # noqa: PT012
        checkpoint.save("head", {}, ARRAYS, needed=True)
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), open_checkpoint("k", tmp_path, fresh=False) as checkpoint:  # noqa: PT012
        assert checkpoint.load("head") is not None
        raise KeyboardInterrupt
    with open_checkpoint("k", tmp_path, fresh=True) as checkpoint:
        assert checkpoint.load("head") is None


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 torn", b"no zip at all"])
def test_damaged_state_is_no_state(tmp_path: Path, damage: bytes) -> None:
    with open_checkpoint("k", tmp_path, fresh=False) as checkpoint:
        checkpoint.save("head", {}, ARRAYS, needed=True)
        (checkpoint.folder / "head.npz").write_bytes(damage)
        assert checkpoint.load("head") is None


def test_second_process_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="no file locks on this system")
    with (
        open_checkpoint("k", tmp_path, fresh=False),
        pytest.raises(UsageError, match="must be trained by one process"),
        open_checkpoint("k", tmp_path, fresh=False),
    ):
        pass


def test_abandoned_checkpoints_are_forgotten(tmp_path: Path) -> None:
    old, recent = tmp_path / "checkpoints" / "old", tmp_path / "checkpoints" / "recent"
    for folder, days in ((old, KEPT_DAYS + 1), (recent, KEPT_DAYS - 1)):
        folder.mkdir(parents=True)
        (folder / "head.npz").write_bytes(b"x")
        then = time.time() - days * 86_400
        for path in (folder / "head.npz", folder):
            os.utime(path, (then, then))
    with open_checkpoint("k", tmp_path, fresh=False):
        assert not old.exists()
        assert recent.exists()


def test_what_a_killed_run_was_writing_is_removed_but_not_what_one_is_writing(tmp_path: Path) -> None:
    root = tmp_path / "checkpoints"
    with temporary_file(tmp_path) as made:
        abandoned = made.path.name
    for key in ("same", "other", "busy"):
        (root / key).mkdir(parents=True)
        for name in ("lock", "head.npz", abandoned):
            (root / key / name).touch()
    with open_checkpoint("busy", tmp_path, fresh=False) as busy, temporary_file(busy.folder) as current:
        with pytest.raises(KeyboardInterrupt), open_checkpoint("same", tmp_path, fresh=False):
            raise KeyboardInterrupt
        assert sorted(path.name for path in (root / "same").iterdir()) == ["head.npz", "lock"]
        assert sorted(path.name for path in (root / "other").iterdir()) == ["head.npz", "lock"]
        assert current.path.exists()


def test_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file")
    with (
        pytest.raises(UsageError, match=r"must be writable.*XDG_CACHE_HOME"),
        open_checkpoint("k", tmp_path, fresh=False),
    ):
        pass


def test_key_depends_on_every_part() -> None:
    parts = {"seed": 1, "data": "a"}
    assert checkpoint_key(parts) == checkpoint_key(dict(reversed(parts.items())))
    assert checkpoint_key(parts) != checkpoint_key(parts | {"seed": 2})


def test_state_that_cannot_be_written_is_one_line_and_keeps_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with open_checkpoint("k", tmp_path, fresh=False) as checkpoint:
        checkpoint.save("head", {"epoch": 1}, ARRAYS, needed=True)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full_disk)
            with pytest.raises(UsageError, match=r"checkpoint folder must be writable.*Free some space"):
                checkpoint.save("head", {"epoch": 2}, ARRAYS, needed=True)
        saved = checkpoint.load("head")
        assert saved is not None
        assert saved.note == {"epoch": 1}
