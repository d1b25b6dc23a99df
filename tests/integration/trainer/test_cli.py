"""``snapship train``, ``models`` and ``evaluate`` through the front door."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from snapship.cli import cli
from trainer import Run, models
from trainer.run.run_json import MODEL_FILE, RUN_FILE

ROOT = Path(__file__).resolve().parents[3]
Photos = Callable[..., Path]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def refused(result: Result, words: str, code: int = 2) -> None:
    """One line of error, no traceback, nothing on stdout."""
    assert result.exit_code == code
    assert result.stdout == ""
    line = result.stderr.splitlines()[-1]
    assert line.startswith("Error: ")
    assert "Received: " in line
    assert words in line
    assert "Traceback" not in result.stderr
    assert "internal error" not in result.stderr


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("nowhere", "--model", "small_cnn"), "DATA must exist"),
        (("empty", "--model", "small_cnn"), "an empty folder"),
        (("lonely", "--model", "small_cnn"), "at least two classes"),
        (("digits", "--model", "lenet9"), "Use one of: bn_cnn, cifar_cnn"),
        (("digits", "--weights", "missing.h5"), "missing.h5"),
        (("digits", "--weights", "text.jpg"), "HDF5"),
        (("broken", "--model", "small_cnn"), "At most 5% of the images may be unreadable"),
        (("digits", "--model", "small_cnn", "--size", "5"), "size=5"),
        (("digits", "--model", "small_cnn", "--fit", "squash"), "stretch, crop"),
        (("text.jpg", "--model", "small_cnn"), "text.jpg"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(place: Path, words: tuple[str, ...], expected: str) -> None:
    (place / "empty").mkdir()
    (place / "lonely" / "cat").mkdir(parents=True)
    (place / "lonely" / "cat" / "1.png").write_bytes(b"\x89PNG")
    (place / "text.jpg").write_text("I am no picture")
    for name in ("cat", "dog"):
        (place / "broken" / name).mkdir(parents=True)
        for number in range(3):
            (place / "broken" / name / f"{number}.jpg").write_text(f"{name} {number}")
    before = sorted(place.rglob("*"))
    refused(run("train", *words, "--out", "runs/new"), expected)
    assert sorted(place.rglob("*")) == before


def test_existing_out_is_kept(place: Path, digits_run: Run) -> None:
    shutil.copytree(digits_run.path, place / "run")
    (place / "photos").mkdir()
    (place / "photos" / "cat.jpg").write_text("x")
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    refused(run("train", "digits", "--model", "small_cnn", "--out", "run"), "add --overwrite")
    for more in ((), ("--overwrite",)):
        refused(run("train", "digits", "--model", "small_cnn", "--out", "photos", *more), "cat.jpg")
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_out_is_required(place: Path) -> None:
    result = run("train", "digits")
    assert result.exit_code == 2
    assert "--out" in result.stderr


def test_train_prints_what_it_made_and_what_to_do_next(place: Path, photos: Photos) -> None:
    result = run("train", photos(cat=8, dog=8), "--model", "small_cnn", "--size", "12", "--epochs", "2",
                 "--out", "runs/pets")  # fmt: skip
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("val top-1 ")
    assert lines[1] == f"run     {place / 'runs' / 'pets'}"
    assert lines[3] == f"next    snapship export {place / 'runs' / 'pets'} --out pets.bundle"
    assert "train epoch 2" in result.stderr


def test_json_is_alone_on_stdout(place: Path) -> None:
    words = ("train", "digits", "--model", "small_cnn", "--epochs", "1", "--out", "run", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "snapship", *words], capture_output=True, text=True, check=True, cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert set(document) == {"run", "report", "model", "labels", "metrics"}
    assert document["run"] == str(place / "run")
    assert document["metrics"]["epochs"] == 1
    assert "train epoch 1" in done.stderr
    assert "\x1b" not in done.stderr


def test_ctrl_c_leaves_nothing(place: Path) -> None:
    words = (
        "train",
        "digits",
        "--model",
        "small_cnn",
        "--epochs",
        "500",
        "--patience",
        "500",
        "--out",
        "runs/new",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "snapship", *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=place, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if line.startswith("train epoch 1"):
            break
    process.send_signal(signal.SIGINT)
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 130, "".join(seen) + rest
    assert rest.splitlines()[-1] == "Interrupted."
    assert "Traceback" not in rest
    assert out == ""
    assert list(place.iterdir()) == []


def test_models_lists_the_zoo() -> None:
    result = run("models")
    assert result.exit_code == 0
    assert "121,930" in result.stdout
    entries = json.loads(run("models", "--json").stdout)
    assert [entry["name"] for entry in entries] == list(models.names())
    top1 = {entry["name"]: entry["imagenet_top1"] for entry in entries}
    assert (top1["mobilenet_v2"], top1["small_cnn"]) == (0.713, None)


def test_evaluate_a_run(digits_run: Run) -> None:
    result = run("evaluate", digits_run.path, "digits", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["top1"] == digits_run.evaluation.top1
    assert document["n"] == 385
    assert len(document["per_class"]) == len(document["confusion"]) == 10
    table = run("evaluate", digits_run.path, "digits", "--split", "all").stdout
    assert "1797 images" in table
    assert "recall" in table


def test_evaluate_a_bundle(digits_bundle: Path) -> None:
    result = run("evaluate", digits_bundle, "digits", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["n"] == 385
    assert document["top1"] > 0.9


def test_evaluate_refuses_what_it_cannot_measure(
    place: Path, digits_run: Run, digits_bundle: Path, photos: Photos
) -> None:
    pets = photos(cat=4, dog=4)
    refused(run("evaluate", "nowhere", "digits"), "nowhere, which does not exist")
    refused(run("evaluate", place, "digits"), "which is neither")
    refused(run("evaluate", digits_run.path, "nowhere"), "DATA must exist")
    refused(run("evaluate", digits_run.path, pets), "Received: cat, dog")
    refused(run("evaluate", digits_bundle, pets), "Received: cat, dog")
    refused(run("evaluate", digits_run.path, "digits", "--split", "test"), "val, all")
    copy = place / "run"
    shutil.copytree(digits_run.path, copy)
    for content in (b"no model", (copy / MODEL_FILE).read_bytes()[:5000]):
        (copy / MODEL_FILE).write_bytes(content)
        refused(run("evaluate", copy, "digits"), "A run's model must load")
    (copy / MODEL_FILE).write_bytes(b"")
    refused(run("evaluate", copy, "digits"), "or empty")
    (copy / RUN_FILE).write_text("{}")
    refused(run("evaluate", copy, "digits"), "schema_version")
