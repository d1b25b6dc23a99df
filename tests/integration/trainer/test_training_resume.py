"""Killed runs go on where they were and end with the same model; so do equal seeds.

What is killed is a process of its own. What is not, runs in this one, which has loaded TensorFlow.
"""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from snapship.cli import cli
from trainer.evaluation.evaluation import load_model

Photos = Callable[..., Path]

pytestmark = pytest.mark.slow


def arguments(data: Path | str, out: Path, *further: str) -> list[str]:
    return ["train", str(data), "--out", str(out), *further]


def run_whole(words: list[str], cache: Path) -> str:
    done = CliRunner().invoke(cli, words, env={"XDG_CACHE_HOME": str(cache)})
    assert done.exit_code == 0, done.stderr
    return done.stderr


def kill_at(words: list[str], cache: Path, line: str) -> None:
    """Starts a run and kills it, without a chance to clean up, when it says ``line``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "snapship", *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    for said in process.stderr:
        if said.startswith(line):
            process.send_signal(signal.SIGKILL)
            break
    process.stderr.close()
    assert process.wait() == -signal.SIGKILL, f"the run never said {line!r}"


def assert_same_model(first: Path, second: Path) -> None:
    mine, theirs = load_model(first).get_weights(), load_model(second).get_weights()
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def losses(run: Path) -> list[tuple[str, str]]:
    with (run / "history.csv").open() as file:
        return [(row["loss"], row["val_loss"]) for row in csv.DictReader(file)]


def test_run_killed_twice_ends_with_the_model_of_an_undisturbed_one(tmp_path: Path, photos: Photos) -> None:
    data = photos(cat=40, dog=40, cow=40)
    # Dropout, batch norm, weight averages, mixing and a rate that depends on the past: all must come back.
    options = ("--model", "bn_cnn", "--size", "20", "--epochs", "5", "--ema", "0.9", "--augment", "rotation,mixup",
               "--schedule", "plateau", "--label-smoothing", "0.1", "--batch-size", "8")  # fmt: skip
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    run_whole(arguments(data, undisturbed, *options), tmp_path / "cache_a")
    command = arguments(data, killed, *options)
    kill_at(command, tmp_path / "cache_b", "train epoch 2")
    assert not killed.exists()
    kill_at(command, tmp_path / "cache_b", "train epoch 4")
    said = run_whole(command, tmp_path / "cache_b")
    assert "resuming the interrupted run" in said
    assert "train epoch 1:" not in said
    assert_same_model(undisturbed, killed)
    assert not list((tmp_path / "cache_b" / "snapship" / "checkpoints").iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {
        "photos", "undisturbed", "killed", "cache_a", "cache_b"
    }  # fmt: skip


def test_transfer_killed_in_each_phase_ends_with_the_same_model(tmp_path: Path, photos: Photos) -> None:
    import keras

    bare = keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None
    )
    bare.save_weights(tmp_path / "own.weights.h5")
    data = photos(cat=9, dog=9, cow=9)
    options = ("--model", "mobilenet_v2", "--width", "0.35", "--size", "32", "--epochs", "3", "--patience", "9",
               "--fine-tune-epochs", "3", "--unfreeze", "20", "--batch-size", "8",
               "--weights", str(tmp_path / "own.weights.h5"))  # fmt: skip
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    said = run_whole(arguments(data, undisturbed, *options), tmp_path / "cache_a")
    # One pass over two views of the train images and one of val serves both phases.
    assert said.count("head: running 45 images through the") == said.count("images through the") == 1
    command = arguments(data, killed, *options)
    kill_at(command, tmp_path / "cache_b", "head epoch 2")
    kill_at(command, tmp_path / "cache_b", "fine-tune: up to")
    kill_at(command, tmp_path / "cache_b", "fine-tune epoch 1")
    said = run_whole(command, tmp_path / "cache_b")
    assert "head: already finished by the interrupted run" in said
    assert_same_model(undisturbed, killed)
    # Not only where the best weights are those of the head.
    assert losses(undisturbed) == losses(killed)


def test_changed_command_starts_over(tmp_path: Path) -> None:
    options = ("--model", "lenet5", "--epochs", "3")
    kill_at(arguments("digits", tmp_path / "run", *options), tmp_path / "cache", "train epoch 1")
    said = run_whole(arguments("digits", tmp_path / "run", *options, "--seed", "1"), tmp_path / "cache")
    assert "train epoch 1:" in said
    # The other command's state is still there, and --fresh forgets it.
    said = run_whole(
        arguments("digits", tmp_path / "run", *options, "--fresh", "--overwrite"), tmp_path / "cache"
    )
    assert "train epoch 1:" in said
