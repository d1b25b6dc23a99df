"""``check --workers``: the report and the page of one process, whatever ends in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from click.testing import CliRunner

from edge_runtime.common.errors import UsageError
from edge_runtime.workers.crew import Finished, Machine, Opened, Piece
from exporter.checking import CheckResult, run_check
from exporter.config.check_config import CheckConfig
from exporter.source.scoring import FULL_BATCH
from exporter.workers.team import MOST_IMAGES, Team
from exporter.workers.worker import Batch, Scored
from snapship.cli import cli

ROOT = Path(__file__).resolve().parents[4]

DIES_ONCE = """
import os, signal
import exporter.workers.worker as worker
work = worker.CheckWorker.work

def dies(self, piece):
    if {when}:
        try:
            os.close(os.open({mark!r} + str({name}), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return work(self, piece)
        os.kill(os.getpid(), signal.SIGKILL)
    return work(self, piece)

worker.CheckWorker.work = dies
"""

ANSWERS_OTHERWISE = """
import multiprocessing, os
from edge_runtime.engines.litert import TfliteEngine
run = TfliteEngine.run
odd = None

def runs(self, pixels):
    global odd
    if odd is None:
        odd = False
        if multiprocessing.parent_process() and len(os.listdir({folder!r})) < {count}:
            os.mkdir(os.path.join({folder!r}, str(os.getpid())))
            odd = True
    return run(self, pixels)[:: -1 if odd else 1].copy()

TfliteEngine.run = runs
"""

REFUSES = """
import exporter.workers.worker as worker
from edge_runtime.common.errors import ModelFileError

def refuses(self, piece):
    raise ModelFileError("An engine must take the image. Received: a worker. Export it again.")

worker.CheckWorker.work = refuses
"""


def config(bundle: Path, **more: Any) -> CheckConfig:
    return CheckConfig(
        reference=bundle / "digits_fp32.tflite", candidate=bundle / "digits_int8.tflite", data="digits", **more
    )  # fmt: skip


def words(bundle: Path, *more: object) -> list[str]:
    return [
        "check", "--reference", f"{bundle}/digits_fp32.tflite", "--candidate", f"{bundle}/digits_int8.tflite",
        "--data", "digits", "--quick", *map(str, more),
    ]  # fmt: skip


def in_process(hook: str, place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, with code that every process of it runs before anything else."""
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(hook)
    return subprocess.run(
        [sys.executable, "-m", "snapship", *arguments], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(place), str(ROOT)])},
    )  # fmt: skip


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_times(part) for name, part in value.items() if name != "latency_ms"}
    return [without_times(part) for part in value] if isinstance(value, list | tuple) else value


@pytest.fixture
def same_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of latencies, the one thing that differs from run to run."""
    monkeypatch.setattr(
        "exporter.judge.run_artifacts.latencies_ms", lambda engines, pixels: dict.fromkeys(engines, 1.0)
    )


@pytest.fixture(scope="module")
def expected(digits_bundle: Path) -> Any:
    return without_times(run_check(config(digits_bundle), diagnostics=False).report.to_dict())


def test_report_page_and_outcomes_are_those_of_one_process(digits_bundle: Path, same_times: None) -> None:
    def judged(workers: int | None) -> CheckResult:
        return run_check(config(digits_bundle, workers=workers), page=True, diagnostics=False)

    alone = judged(None)
    for workers in (1, 2):
        found = judged(workers)
        assert found.report == alone.report
        assert found.page == alone.page
        assert found.outcomes is not None
        assert alone.outcomes is not None
        for name, right in alone.outcomes.right.items():
            assert found.outcomes.right[name].tolist() == right.tolist()


def test_worker_that_is_killed_is_replaced(digits_bundle: Path, expected: Any, tmp_path: Path) -> None:
    mark = str(tmp_path / "mark-")
    # The first process that gets the third batch, and the first that gets the int8 file.
    hook = DIES_ONCE.format(when="piece.shard == 2", mark=mark, name="piece.items[0].step.way")
    done = in_process(hook, tmp_path / "hook", *words(digits_bundle, "--workers", 2, "--json"))
    assert done.returncode == 0, done.stderr
    assert without_times(json.loads(done.stdout)) == expected
    assert sorted(path.name for path in tmp_path.glob("mark-*")) == ["mark-artifact", "mark-full"]


def test_batch_that_ends_every_process_is_one_line(digits_bundle: Path, tmp_path: Path) -> None:
    hook = DIES_ONCE.format(when="piece.shard == 1", mark=str(tmp_path / "mark-"), name="os.getpid()")
    done = in_process(hook, tmp_path / "hook", *words(digits_bundle, "--workers", 2))
    assert done.returncode == 4, done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert "images 57 to 112 with the full model, which failed 3 times (its process ended)" in error
    assert "fewer --workers" in error


def test_worker_with_other_scores_takes_no_part(digits_bundle: Path, expected: Any, tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    hook = ANSWERS_OTHERWISE.format(folder=str(tmp_path / "odd"), count=1)
    done = in_process(hook, tmp_path / "hook", *words(digits_bundle, "--workers", 2, "--json"))
    assert done.returncode == 0, done.stderr
    assert without_times(json.loads(done.stdout)) == expected


def test_no_worker_with_the_same_scores_is_one_line(digits_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    hook = ANSWERS_OTHERWISE.format(folder=str(tmp_path / "odd"), count=9)
    done = in_process(hook, tmp_path / "hook", *words(digits_bundle, "--workers", 1))
    assert done.returncode == 4, done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert "very scores of this machine" in error
    assert "scores of digits_int8.tflite differ by up to" in error


def test_error_of_a_model_is_what_one_process_says(digits_bundle: Path, tmp_path: Path) -> None:
    done = in_process(REFUSES, tmp_path / "hook", *words(digits_bundle, "--workers", 1))
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1] == (
        "Error: An engine must take the image. Received: a worker. Export it again."
    )


class Recording:
    """A crew of one worker in this process, which keeps what it is given; each score is the row of its image."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.event: Any = Opened(0, Machine("", 0))

    def next_event(self) -> Any:
        return self.event

    def give(self, worker: int, piece: Piece[Batch]) -> None:
        (batch,) = piece.items
        self.batches.append(batch)
        rows = np.arange(batch.first, batch.first + len(batch.pixels), dtype=np.float32)
        self.event = Finished(worker, piece, Scored(batch.first, rows[:, np.newaxis]))


@pytest.mark.parametrize("images", [1, 7, 8, 9, 100, 1_000])
@pytest.mark.parametrize("workers", [1, 3])
def test_batches_begin_where_the_full_models_own_do(images: int, workers: int) -> None:
    crew = Recording()
    found = Team(cast(Any, crew), workers).full()(np.zeros((images, 2, 2, 1), dtype=np.uint8))
    assert found[:, 0].tolist() == list(range(images))
    assert all(batch.first % FULL_BATCH == 0 for batch in crew.batches)
    assert all(len(batch.pixels) % FULL_BATCH == 0 for batch in crew.batches[:-1])
    assert max(len(batch.pixels) for batch in crew.batches) <= MOST_IMAGES


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--workers", "0"], "--workers must be at least 1. Received: 0."),
        (
            ["--sequential", "--workers", "2"],
            "Received: --sequential and --workers 2. Leave one of them out.",
        ),
        (["--sequential", "--ray", "auto"], "Received: --sequential and --ray auto. Leave one of them out."),
        (["--ray", ""], "--ray must be an address."),
    ],
)
def test_what_does_not_fit_is_refused_at_once(digits_bundle: Path, options: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, words(digits_bundle, *options))
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_photos_without_labels_are_not_for_workers(digits_bundle: Path, hundred_photos: Path) -> None:
    from exporter.unlabelled_check import check_unlabelled

    with pytest.raises(UsageError, match="--workers needs labelled images"):
        check_unlabelled(digits_bundle, data=hundred_photos, workers=2)
