from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from snapship.cli import cli
from trainer import Run, TrainConfig, train

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Done:
    """What a command gave."""

    returncode: int
    stdout: str
    stderr: str


def process(*arguments: object, cwd: Path) -> Done:
    """Runs a command in a process of its own: whatever libraries write is part of what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "snapship", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, timeout=200,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def snapship(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Done]:
    """Runs a command in this process, which has loaded TensorFlow, in the folder ``tmp_path``."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Done:
        done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
        return Done(done.exit_code, done.stdout, done.stderr)

    return run


def one_error(done: Done, code: int, words: str) -> None:
    assert done.returncode == code, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert len(errors) == 1
    assert words in errors[0]
    assert "Traceback" not in done.stderr
    assert done.stderr.rstrip().splitlines()[-1] == errors[0]


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has hardly learnt anything."""
    base = tmp_path_factory.mktemp("worse")
    config = TrainConfig(
        data="digits", model="small_cnn", out=base / "run", epochs=1, learning_rate=1e-5, cache_dir=base
    )
    return train(config).path


def test_pass_prints_a_table_and_writes_files(
    snapship: Callable[..., Done], exported: Path, tmp_path: Path
) -> None:
    done = snapship("check", exported, "--json", "out/check.json", "--report", "r.html")
    assert done.returncode == 0, done.stderr
    assert "Verdict: pass" in done.stdout
    assert json.loads((tmp_path / "out" / "check.json").read_text())["verdict"] == "pass"
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_json_alone_is_all_of_stdout(exported: Path, tmp_path: Path) -> None:
    done = process("check", exported, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["artifacts"]["tflite-int8"]["engine"] == "litert"


def test_worse_candidate_fails_with_1(
    snapship: Callable[..., Done], digits_run: Run, worse: Path, tmp_path: Path
) -> None:
    options = ["export", worse, "--out", "w.bundle", "--artifacts", "tflite-fp32"]
    refused = snapship(*options)
    one_error(refused, 2, "--weak-reference allow")
    # Said before anything is converted.
    assert "converting" not in refused.stderr
    made = snapship(*options, "--weak-reference", "allow")
    assert made.returncode == 0, made.stderr
    done = process(
        "check", "--reference", digits_run.path, "--candidate", "w.bundle/run_fp32.tflite", "--data", "digits",
        cwd=tmp_path,
    )  # fmt: skip
    one_error(done, 1, "worse by more than 2 points")
    against_bundle = snapship("check", "w.bundle", "--reference", digits_run.path)
    one_error(against_bundle, 1, "tflite-fp32")


def test_good_candidate_passes(snapship: Callable[..., Done], exported: Path, digits_run: Run) -> None:
    done = snapship(
        "check", "--reference", digits_run.path, "--candidate", exported / "run_int8.tflite", "--data", "digits"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("settled", "code"), [(None, 3), ("pass", 0), ("fail", 1)])
def test_too_few_images(
    snapship: Callable[..., Done], exported: Path, settled: str | None, code: int
) -> None:
    options = [] if settled is None else ["--inconclusive", settled]
    done = snapship("check", exported, "--margin", "0.001", *options)
    assert "Verdict: inconclusive" in done.stdout
    if code:
        one_error(done, code, "images would decide")
    else:
        assert done.returncode == 0


def test_bad_usage_is_one_line(
    snapship: Callable[..., Done], exported: Path, digits_run: Run, tmp_path: Path
) -> None:
    (tmp_path / "one" / "only").mkdir(parents=True)
    (tmp_path / "text.keras").write_text("hello")
    (tmp_path / "empty.tflite").write_bytes(b"")
    (tmp_path / "text.tflite").write_text("hello " * 100)
    before = sorted(tmp_path.rglob("*"))
    run = digits_run.path
    for arguments, words in (
        (["check"], "a bundle or a candidate"),
        (["check", "missing.bundle"], "must exist"),
        (["check", exported, "--margin", "0"], "margin"),
        (["check", exported, "--data", "one"], "must hold images"),
        (["check", "--candidate", "x.tflite"], "--reference"),
        (["check", "--reference", run, "--candidate", "empty.tflite", "--data", "digits"], "0 bytes"),
        (["check", "--reference", run, "--candidate", "text.tflite", "--data", "digits"], "load in LiteRT"),
        (["export", "missing", "--out", "x.bundle"], "must exist"),
        (["export", "one", "--out", "x.bundle"], "run.json"),
        (["export", "text.keras", "--out", "x.bundle", "--data", "digits"], "load in Keras"),
        (["export", run, "--out", "x.bundle", "--artifacts", "tflite-int4"], "tflite-int8"),
        (["export", run, "--out", "one"], "exists"),
        (["export", run, "--out", "one", "--overwrite"], "Only a bundle"),
        (["export", run, "--out", "x.bundle", "--labels", "l.txt"], "own labels"),
        (["export", run, "--out", "x.bundle", "--fit", "crop"], "own fit"),
        (["check", exported, "--fit", "crop"], "--fit applies to --candidate only"),
        (
            ["check", "--reference", run, "--candidate", "text.tflite", "--data", "digits", "--fit", "crop"],
            "own fit",
        ),
        (["export", run, "--out", ""], "must have a name"),
        (["export", run, "--out", f"{'long' * 100}.bundle"], "usable path"),
        (["export", f"{'long' * 100}.keras", "--out", "x.bundle"], "readable"),
        (
            ["check", "--reference", run, "--candidate", f"{'long' * 100}.onnx", "--data", "digits"],
            "must exist",
        ),
    ):
        # Keras and LiteRT write to the process's own stderr what they think of a file.
        done = process(*arguments, cwd=tmp_path) if words.startswith("load in") else snapship(*arguments)
        one_error(done, 2, words)
    assert sorted(tmp_path.rglob("*")) == before


def test_interrupt_during_the_conversion_leaves_nothing(digits_run: Run, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "snapship", "export", str(digits_run.path), "--out", "deep/x.bundle"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("calibrating"):
            process.send_signal(signal.SIGINT)
            break
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130
    assert stdout == ""
    assert stderr.splitlines()[-1] == "Interrupted."
    assert "Traceback" not in stderr
    assert not list(tmp_path.iterdir())
