"""``predict --watch`` as a process of its own, with files that really arrive."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_runtime.updates import pull

ROOT = Path(__file__).resolve().parents[4]


@contextmanager
def watching(bundle: Path, folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A watch that has said that it is ready."""
    command = ["predict", str(bundle), "--watch", str(folder), "--settle", "0.6", *words]
    with subprocess.Popen(
        [sys.executable, "-m", "snapship", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as child:
        try:
            assert child.stderr is not None
            line = child.stderr.readline()
            while line.startswith("INFO: "):
                line = child.stderr.readline()
            assert line == f"Watching {folder}, press Ctrl-C to stop.\n"
            yield child
        finally:
            child.kill()


def next_record(child: subprocess.Popen[str]) -> dict[str, object]:
    assert child.stdout is not None
    record: dict[str, object] = json.loads(child.stdout.readline())
    return record


@pytest.fixture
def incoming(digits_bundle: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    shutil.copy(digits_bundle / "golden" / "5.png", folder / "old.png")
    return folder


def test_a_watch_says_that_it_does_not_follow_a_pull(
    digits_bundle: Path, incoming: Path, tmp_path: Path
) -> None:
    pull(str(digits_bundle), tmp_path / "models")
    command = ["predict", str(tmp_path / "models" / "current"), "--watch", str(incoming), "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "snapship", *command], stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as child:  # fmt: skip
        assert child.stderr is not None
        told = next(line for line in child.stderr if not line.startswith("INFO: "))
        child.kill()
    used = os.path.realpath(tmp_path / "models" / "current")
    assert told == f"Using {used} until exit; restart after a pull.\n"


def test_watch_answers_each_new_file_at_once_and_survives_bad_ones(
    digits_bundle: Path, incoming: Path, tmp_path: Path
) -> None:
    golden = digits_bundle / "golden"
    with watching(digits_bundle, incoming, "--json", str(golden / "2.png")) as child:
        assert next_record(child)["image"] == str(golden / "2.png")

        (incoming / "bad.png").write_text("no image")
        bad = next_record(child)
        assert bad["image"] == str(incoming / "bad.png")
        assert "must be one of JPEG" in str(bad["error"])

        # Written in pieces, with pauses shorter than --settle: an early read would be an error.
        data = (golden / "1.png").read_bytes()
        with (incoming / "slow.png").open("wb") as file:
            for start in range(0, len(data), len(data) // 4):
                file.write(data[start : start + len(data) // 4])
                file.flush()
                time.sleep(0.4)
        slow = next_record(child)
        assert (slow["image"], slow["label"]) == (str(incoming / "slow.png"), "1")

        shutil.copy(golden / "0.png", incoming / "upload.part")
        (incoming / "upload.part").rename(incoming / "upload.png")
        done = next_record(child)
        assert (done["image"], done["label"]) == (str(incoming / "upload.png"), "0")

        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.read() == ""
        assert "Traceback" not in child.stderr.read()


def test_watch_ends_on_interrupt_like_every_command(digits_bundle: Path, incoming: Path) -> None:
    with watching(digits_bundle, incoming) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        (incoming / "bad.png").write_text("no image")
        assert child.stderr.readline().startswith("Error: An image must be one of")
        shutil.copy(digits_bundle / "golden" / "4.png", incoming / "new.png")
        assert child.stdout.readline().split()[:2] == [str(incoming / "new.png"), "4"]
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 130
        assert child.stderr.read() == "Interrupted.\n"
