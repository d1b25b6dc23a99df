"""A kill at any moment leaves the old folder or the new one, and the next run removes the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common import atomic_folder
from edge_runtime.common.atomic_folder import check_folder, exchange, folder_replaced
from edge_runtime.common.errors import BundleError, UsageError
from edge_runtime.common.temporary import put_back, remove_abandoned

pytestmark = pytest.mark.slow

CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "open", "ctypes.dlsym")
"""Audit events of what changes a disk, and of the look-up of the exchange."""

KILLED = """
import json, os, signal, sys
from pathlib import Path
from edge_runtime.common import atomic_folder, temporary
from edge_runtime.common.atomic_file import write_whole
from exporter.bundle.bundle_files import bundle_in_making
from trainer.run.run_folder import new_run_folder, check_out

CHANGES, which, exchanges, place = json.loads(sys.argv[1])
if not exchanges:
    atomic_folder.exchange = lambda one, other: False

def make(out, text):
    if which == "run":
        with new_run_folder(check_out(out, True), True) as folder:
            (folder / "run.json").write_text(text)
    elif which == "file":
        write_whole(out, text.encode())
    else:
        with bundle_in_making(out) as folder:
            (folder / "sub").mkdir()
            (folder / "sub" / "a.txt").write_text(text)
            (folder / "b.txt").write_text(text)

make(Path(place, "out.zip" if which == "zip" else "out"), "old")
# Now everything is imported.
seen = []
for kill_at in range(1, 400):
    folder = Path(place, str(kill_at))
    folder.mkdir()
    out = folder / ("out.zip" if which == "zip" else "out")
    make(out, "old")
    child = os.fork()
    if child == 0:
        steps = 0

        def step(event, values):
            global steps
            if event in CHANGES and not (event == "open" and not (values[2] or 0) & (os.O_WRONLY | os.O_RDWR)):
                steps += 1
                if steps == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(step)
        make(out, "new")
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status == 0:
        break
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
print(kill_at)
"""


def content(out: Path) -> str:
    """What a bundle, run or file holds, ``mixed`` where it is not one whole state."""
    if out.suffix == ".zip":
        with zipfile.ZipFile(out) as archive:
            texts = [archive.read(name).decode() for name in archive.namelist()]
    else:
        files = [out] if out.is_file() else [path for path in out.rglob("*") if path.is_file()]
        texts = [path.read_text() for path in files]
    return texts[0] if len(set(texts)) == 1 else "mixed"


@pytest.mark.parametrize("exchanges", [True, False])
@pytest.mark.parametrize("which", ["bundle", "run", "zip", "file"])
def test_a_kill_at_each_step_leaves_the_old_or_the_new(tmp_path: Path, which: str, exchanges: bool) -> None:
    asked = json.dumps([CHANGES, which, exchanges, str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, asked], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    last = int(done.stdout)
    assert last > 3
    missing, found = 0, set()
    for kill_at in range(1, last):
        folder = tmp_path / str(kill_at)
        out = folder / ("out.zip" if which == "zip" else "out")
        if not out.exists():
            missing += 1
            put_back(out)
        found.add(content(out))
        remove_abandoned(folder)
        assert [path.name for path in folder.iterdir()] == [out.name], kill_at
    assert found == {"old", "new"}
    # Only between two renames, and a zip or a file is replaced by one anyway.
    assert missing == (0 if exchanges or which in ("zip", "file") else 1)


def test_this_machine_exchanges(tmp_path: Path) -> None:
    """Where it cannot, the tests of a kill with an exchange would show nothing."""
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / folder.name).touch()
    if not exchange(one, other):
        pytest.skip("needs a kernel, a C library and a file system with renameat2 or renamex_np")
    assert [path.name for path in one.iterdir()] == ["other"]
    assert [path.name for path in other.iterdir()] == ["one"]


def test_an_exchange_that_cannot_be_done_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    assert not exchange(tmp_path / "one", tmp_path / "nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_windows_has_no_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cdll(name: str | None) -> None:
        # As ctypes does there for the program itself.
        raise TypeError("argument of type 'NoneType' is not iterable")

    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr("ctypes.CDLL", cdll)
    assert not exchange(tmp_path / "one", tmp_path / "other")


def killed_between_renames(folder: Path, out: Path) -> None:
    """Leaves what a process leaves that is killed there."""
    program = f"""
import os, signal
from pathlib import Path
from edge_runtime.common import atomic_folder
atomic_folder.exchange = lambda one, other: False
rename = os.rename
def last(one, other):
    rename(one, other)
    os.kill(os.getpid(), signal.SIGKILL)
with atomic_folder.folder_replaced(Path({str(out)!r})) as new:
    (new / "new.txt").touch()
    os.rename = last
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    assert list(folder.iterdir())


def test_who_reads_a_bundle_finds_the_old_one(own_digits_bundle: Path) -> None:
    killed_between_renames(own_digits_bundle.parent, own_digits_bundle)
    assert Bundle.open(own_digits_bundle).manifest.name == "digits"
    assert list(own_digits_bundle.parent.iterdir()) == [own_digits_bundle]


def test_only_what_is_asked_for_is_put_back(own_digits_bundle: Path) -> None:
    killed_between_renames(own_digits_bundle.parent, own_digits_bundle)
    with pytest.raises(BundleError, match="must exist"):
        Bundle.open(own_digits_bundle.with_name("other.bundle"))
    assert not own_digits_bundle.exists()
    (own_digits_bundle.parent / "deeper").mkdir()
    with folder_replaced(own_digits_bundle.parent / "anything"):
        # Whoever writes beside it removes what was left, and so puts back what was set aside.
        assert own_digits_bundle.is_dir()


def test_what_came_to_the_place_meanwhile_stays(own_digits_bundle: Path) -> None:
    killed_between_renames(own_digits_bundle.parent, own_digits_bundle)
    own_digits_bundle.mkdir()
    (own_digits_bundle / "mine").touch()
    remove_abandoned(own_digits_bundle.parent)
    assert [path.name for path in own_digits_bundle.parent.rglob("*")] == [own_digits_bundle.name, "mine"]


@pytest.mark.parametrize("exchanges", [True, False])
@pytest.mark.parametrize("error", [OSError(18, "cross-device"), KeyboardInterrupt()])
def test_an_interrupt_brings_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, exchanges: bool
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").touch()
    rename = os.rename

    def to_place_fails(source: Path, target: Path) -> None:
        if Path(source).name == "new":
            raise error
        rename(source, target)

    def interrupted(one: Path, other: Path) -> bool:
        if exchanges:
            raise error
        return False

    monkeypatch.setattr(atomic_folder, "exchange", interrupted)
    monkeypatch.setattr("os.rename", to_place_fails)
    with pytest.raises((UsageError, KeyboardInterrupt)), folder_replaced(out) as new:
        (new / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "old"]


def test_a_folder_that_cannot_be_put_back_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").touch()
    rename = os.rename
    monkeypatch.setattr(atomic_folder, "exchange", lambda one, other: False)

    def only_away(source: Path, target: Path) -> None:
        if Path(target) == out:
            raise PermissionError(1, "no")
        rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr("os.rename", only_away)
        with pytest.raises(UsageError), folder_replaced(out):
            pass
    assert not out.exists()
    put_back(out)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "old"]


def test_folders_above_are_made_last(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "er" / "out"
    with folder_replaced(out) as new:
        (new / "a").touch()
        assert not (tmp_path / "deep").exists()
        # Another run made them meanwhile, and the folder itself.
        out.mkdir(parents=True)
        (out / "other").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "er", "out", "a"]


def test_a_relative_place_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("old", "new"):
        with folder_replaced(Path("out")) as new:
            (new / "a").write_text(text)
    assert (tmp_path / "out" / "a").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("place", ["file/out", "x" * 300, "a\0b"])
def test_a_place_that_cannot_be_written_is_one_line_that_names_its_option(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    for claim in (check_folder, lambda out, option: folder_replaced(out, option).__enter__()):
        with pytest.raises(UsageError, match=r"Received: --image .*Pass another --image\.") as caught:
            claim(tmp_path / place, "--image")
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.mkdir()
    (target / "old").touch()
    link.symlink_to("target")
    with folder_replaced(link) as new:
        (new / "new").touch()
    assert link.is_symlink()
    assert [path.name for path in target.iterdir()] == ["new"]
