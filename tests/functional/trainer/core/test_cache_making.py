"""``data cache``: the pixels that training would decode, whatever ends in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from edge_runtime.common.errors import DataError, UsageError
from edge_runtime.dataset import open_dataset
from edge_runtime.image.input_spec import InputSpec
from snapship.cli import cli
from tests.processes import wait_until
from trainer.core import cache_making
from trainer.core.cache import Pixels, cached_pixels
from trainer.core.cache_making import SHARD_IMAGES, prepare_cache
from trainer.progress import Event

ROOT = Path(__file__).resolve().parents[4]
SPEC = InputSpec(height=9, width=7)
PER_CLASS = 60

HOOK = """
import os, signal, time
import trainer.core.cache_worker as worker
decoded = worker.CacheWorker._decoded

def harmed(self, image):
    with open({log!r}, "a") as log:
        log.write(f"{{image.ref}}\\n")
    time.sleep({pause_s})
    if image.ref in {fatal!r}:
        os.kill(os.getpid(), signal.SIGKILL)
    return decoded(self, image)

worker.CacheWorker._decoded = harmed
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(PER_CLASS):
            pixels = rng.integers(0, 256, (14, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{index:02d}.png")
    return tmp_path / "photos"


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(photos: Path, tmp_path: Path) -> Start:
    """Starts the command with a hook in every process; images that are decoded go to ``log``."""

    def started(*, pause_s: float = 0.0, fatal: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        (tmp_path / "hook").mkdir(exist_ok=True)
        hook = HOOK.format(log=str(tmp_path / "log"), pause_s=pause_s, fatal=fatal)
        (tmp_path / "hook/sitecustomize.py").write_text(hook)
        return subprocess.Popen(
            [sys.executable, "-m", "snapship", "data", "cache", str(photos), "--model", "small_cnn", "--size", "32",
             "--workers", "2", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "hook"), str(ROOT)]),
                 "XDG_CACHE_HOME": str(tmp_path / "cache")},
        )  # fmt: skip

    return started


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def wait_for_shards(place: Path, count: int) -> None:
    def reached() -> bool:
        return sum(len(path.read_text().splitlines()) for path in place.rglob("journal")) >= count

    wait_until(reached, "no shard", 60.0)


def equal(one: Pixels, other: Pixels) -> None:
    np.testing.assert_array_equal(one.array, other.array)
    assert one.labels.tolist() == other.labels.tolist()
    assert (one.images.items, one.images.skipped) == (other.images.items, other.images.skipped)


def silent_pixels(images: Any, cache: Path, spec: InputSpec = SPEC) -> Pixels:
    """What training reads; it must not decode."""
    events: list[Event] = []
    found = cached_pixels(images, spec, cache, events.append)
    assert not events
    return found


@pytest.mark.parametrize("broken", [(), ("cat/00.png", "dog/33.png", "dog/59.png")])
def test_files_are_those_of_training(photos: Path, tmp_path: Path, broken: tuple[str, ...]) -> None:
    for name in broken:
        (photos / name).write_text(f"no picture {name}")
    images = open_dataset(photos)
    alone = cached_pixels(images, SPEC, tmp_path / "alone")
    done = prepare_cache(images, SPEC, tmp_path / "many", workers=2)
    assert (done.decoded, done.resumed, done.ended) == (2 * PER_CLASS, 0, 0)
    equal(done.pixels, alone)
    for path in (tmp_path / "alone").iterdir():
        assert (tmp_path / "many" / path.name).read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "many").iterdir())) == 2
    equal(silent_pixels(images, tmp_path / "many"), alone)


def test_second_time_starts_nothing(photos: Path, tmp_path: Path) -> None:
    images = open_dataset(photos)
    cached_pixels(images, SPEC, tmp_path / "cache")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    events: list[Event] = []
    done = prepare_cache(images, SPEC, tmp_path / "cache", workers=2, progress=events.append)
    assert (done.decoded, done.resumed, events) == (0, 0, [])
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}


def test_killed_command_goes_on(photos: Path, tmp_path: Path, start: Start) -> None:
    process = start(pause_s=0.03)
    wait_for_shards(tmp_path / "cache", 2)
    process.kill()
    process.wait()
    assert not list((tmp_path / "cache").rglob("*.npy"))
    # The line that was being written when it ended.
    (journal,) = (tmp_path / "cache").rglob("journal")
    with journal.open("ab") as file:
        file.write(b"[3,{")
    time.sleep(1.0)
    (tmp_path / "log").unlink()
    report = told(start())
    assert report["resumed"] >= 2 * SHARD_IMAGES - 8
    assert report["decoded"] + report["resumed"] == report["images"] == 2 * PER_CLASS
    assert len((tmp_path / "log").read_text().splitlines()) == report["decoded"]
    folder = Path(report["file"]).parent
    assert len(list(folder.iterdir())) == 2
    images, spec = open_dataset(photos), InputSpec(32, 32)
    equal(silent_pixels(images, folder, spec), cached_pixels(images, spec, tmp_path / "alone"))


def test_killed_worker_is_replaced(photos: Path, tmp_path: Path, start: Start) -> None:
    process = start(pause_s=0.03)
    wait_for_shards(tmp_path / "cache", 1)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    decoding = [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(decoding[0], signal.SIGKILL)
    report = told(process)
    assert (report["ended"], report["images"], report["skipped"]) == (1, 2 * PER_CLASS, [])
    images, spec = open_dataset(photos), InputSpec(32, 32)
    folder = Path(report["file"]).parent
    equal(silent_pixels(images, folder, spec), cached_pixels(images, spec, tmp_path / "alone"))


def test_photo_that_ends_its_process_is_left_out(photos: Path, tmp_path: Path, start: Start) -> None:
    report = told(start(fatal=("dog/05.png",)))
    (line,) = report["skipped"]
    assert line.startswith("dog/05.png: An image must not end the process.")
    assert report["images"] == 2 * PER_CLASS - 1
    images = open_dataset(photos)
    found = silent_pixels(images, Path(report["file"]).parent, InputSpec(32, 32))
    assert "dog/05.png" not in [item.ref for item in found.images.items]


def test_too_many_failures_leave_nothing(photos: Path, tmp_path: Path) -> None:
    for index in range(9):
        (photos / f"cat/{index:02d}.png").write_text(f"no picture {index}")
    with pytest.raises(DataError, match=r"At most 5%.*9 of 120"):
        prepare_cache(open_dataset(photos), SPEC, tmp_path / "cache", workers=1)
    assert not list((tmp_path / "cache").iterdir())


def test_run_that_was_ended_while_rows_moved_starts_over(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "cat/00.png").write_text("no picture")
    images = open_dataset(photos)

    def interrupted(*given: Any) -> None:
        close_up(*given)
        raise KeyboardInterrupt

    close_up = cache_making._close_up
    with monkeypatch.context() as patch:
        patch.setattr(cache_making, "_close_up", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare_cache(images, SPEC, tmp_path / "cache", workers=1)
    done = prepare_cache(images, SPEC, tmp_path / "cache", workers=1)
    assert (done.decoded, done.resumed) == (2 * PER_CLASS, 0)
    equal(done.pixels, cached_pixels(images, SPEC, tmp_path / "alone"))


def test_what_follows_a_torn_line_of_the_journal_is_kept(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, cache = open_dataset(photos), tmp_path / "cache"

    def interrupted(self: Any, files: Any) -> None:
        raise KeyboardInterrupt

    def interrupt() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(cache_making._Partial, "publish", interrupted)
            with pytest.raises(KeyboardInterrupt):
                prepare_cache(images, SPEC, cache, workers=1)

    interrupt()
    (journal,) = cache.rglob("journal")
    lines = journal.read_bytes().splitlines(keepends=True)
    # The last but one was being written when the process was killed.
    journal.write_bytes(b"".join(lines[:-2]) + lines[-2][:3])
    interrupt()
    assert prepare_cache(images, SPEC, cache, workers=1).resumed == 2 * PER_CLASS


def test_two_at_once_are_refused(photos: Path, tmp_path: Path, start: Start) -> None:
    process = start(pause_s=0.05)
    wait_for_shards(tmp_path / "cache", 1)
    (folder,) = (path.parent for path in (tmp_path / "cache").rglob("journal"))
    with pytest.raises(
        UsageError, match=r"by one process\. Received: another process holds .*lock\. Wait for it"
    ):
        prepare_cache(open_dataset(photos), InputSpec(32, 32), folder.parent, workers=1)
    assert told(process)["images"] == 2 * PER_CLASS


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--workers", "0"], "--workers must be at least 1. Received: 0."),
        (["--size", "3"], "size must be"),
        (["--model", "nonsense"], "The model must be a known name"),
    ],
)
def test_bad_options_are_one_line(photos: Path, options: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, ["data", "cache", str(photos), *options])
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert said in done.stderr.splitlines()[-1]


def test_full_disk_is_one_line(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge_runtime.common.atomic_file.os.posix_fallocate", full)
    with pytest.raises(DataError, match=r"pixel cache must be writable.*No space left") as caught:
        prepare_cache(open_dataset(photos), SPEC, tmp_path / "cache", workers=1)
    assert "\n" not in str(caught.value)
