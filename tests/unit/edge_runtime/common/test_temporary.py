"""What killed processes left is removed, and nothing that a living one uses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.common.errors import UsageError
from edge_runtime.common.temporary import (
    remove_abandoned,
    temporary_file,
    temporary_files_together,
    temporary_folder,
)

HOLDS = """
import sys
from pathlib import Path
from edge_runtime.common.temporary import temporary_file, temporary_folder
place = Path(sys.argv[1])
with temporary_file(place) as file, temporary_folder(place) as folder:
    file.file.write(b"half")
    (folder / "half").touch()
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    """Starts a process that has a temporary file and a folder in ``tmp_path``."""

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDS, str(tmp_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    return start


def test_a_living_process_keeps_its_own_and_a_killed_one_does_not(
    tmp_path: Path, holder: Callable[[], subprocess.Popen[str]]
) -> None:
    with holder() as process:
        remove_abandoned(tmp_path)
        with temporary_folder(tmp_path):
            pass
        assert len(list(tmp_path.iterdir())) == 2
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(list(tmp_path.iterdir())) == 2
    remove_abandoned(tmp_path)
    assert not list(tmp_path.iterdir())


def test_this_process_keeps_what_it_uses(tmp_path: Path) -> None:
    with temporary_file(tmp_path) as file, temporary_folder(tmp_path) as folder:
        remove_abandoned(tmp_path)
        assert file.path.is_file()
        assert folder.is_dir()
    assert not list(tmp_path.iterdir())


def test_another_machine_s_stay_for_a_week(
    tmp_path: Path, holder: Callable[[], subprocess.Popen[str]]
) -> None:
    with holder() as process:
        process.kill()
    theirs = []
    for path in list(tmp_path.iterdir()):
        theirs.append(path.with_name(path.name.replace(path.name[10:18], "0123abcd")))
        path.rename(theirs[-1])
    remove_abandoned(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(theirs)
    old = time.time() - 8 * 86_400
    for path in [*tmp_path.rglob("*"), *theirs]:
        os.utime(path, (old, old))
    # One write within is enough.
    (folder,) = (path for path in theirs if path.is_dir())
    os.utime(folder / "new" / "half")
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [folder]
    os.utime(folder / "new" / "half", (old, old))
    remove_abandoned(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("part", [slice(10, 14), slice(14, 18)])
def test_the_host_s_name_or_the_boot_is_enough(
    tmp_path: Path, holder: Callable[[], subprocess.Popen[str]], part: slice
) -> None:
    """A host has another boot after a restart, and each container another name."""
    with holder() as process:
        process.kill()
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_name(path.name.replace(path.name[part], "0000")))
    remove_abandoned(tmp_path)
    assert not list(tmp_path.iterdir())


def test_other_names_links_and_what_does_not_say_whose_it_was_stay(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as folder:
        name = folder.parent.name
    (tmp_path / "photos").mkdir()
    (tmp_path / ".snapship-notes.tmp").touch()
    (tmp_path / name).symlink_to(tmp_path / "photos")
    other = name[:-12] + "00000000.tmp"
    (tmp_path / other / "old").mkdir(parents=True)
    (tmp_path / other / "lock").touch()
    (tmp_path / other / "name").write_text("../elsewhere")
    before = sorted(tmp_path.rglob("*"))
    remove_abandoned(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_was_not_claimed_yet_is_removed_when_it_is_empty(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as folder:
        name = folder.parent.name
    (tmp_path / name).mkdir()
    remove_abandoned(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_s_child_wrote_after_it_was_removed_is_removed_too(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as folder:
        name = folder.parent.name
    (tmp_path / name / "new" / "deep").mkdir(parents=True)
    remove_abandoned(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_removed_is_gone_before_it_is_unlocked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Else a process that just made it, and waits for its lock, takes it for its own."""
    with temporary_folder(tmp_path) as folder:
        left = tmp_path / folder.parent.name
    locked = left if kind == "file" else left / "lock"
    locked.parent.mkdir(exist_ok=True)
    locked.touch()
    inode, seen, close = locked.stat().st_ino, [], os.close

    def watched(handle: int) -> None:
        if os.fstat(handle).st_ino == inode:
            seen.append(locked.exists())
        close(handle)

    monkeypatch.setattr(os, "close", watched)
    remove_abandoned(tmp_path)
    assert seen == [False]
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_to_the_end_is_told_as_the_first_error(tmp_path: Path) -> None:
    code = (
        "import pathlib, resource, sys\n"
        "from edge_runtime.common.atomic_file import write_whole\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "write_whole(pathlib.Path(sys.argv[1]), 'x' * 5000)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out.csv")], capture_output=True, text=True, timeout=60
    )
    assert done.stderr.splitlines()[-1].startswith(
        f"edge_runtime.common.errors.UsageError: An output must be writable. Received: --out {tmp_path / 'out.csv'} ("
    )
    assert not list(tmp_path.iterdir())


def test_all_temporary_files_of_a_command_go_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", "before")
    with temporary_files_together():
        made = Path(tempfile.mkdtemp())
        seen = subprocess.run(
            [sys.executable, "-c", "import tempfile; print(tempfile.gettempdir())"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        assert made.parent == Path(seen)
    assert not list(tmp_path.iterdir())
    assert tempfile.gettempdir() == str(tmp_path)
    assert os.environ["TMPDIR"] == "before"


def test_a_command_works_without_a_place_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nothing"))
    with temporary_files_together():
        assert tempfile.gettempdir() == str(tmp_path / "nothing")
    with pytest.raises(UsageError, match="set TMPDIR"), temporary_folder():
        pass
