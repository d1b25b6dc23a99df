from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import snapship
from edge_runtime.common.errors import GateFailedError, InconclusiveError, UsageError
from edge_runtime.dataset import open_dataset
from exporter.check_cli import check
from exporter.common.backend import load_keras
from snapship import check_unlabelled
from trainer import Run


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The val digits as files without labels. Read only."""
    folder = tmp_path_factory.mktemp("flat")
    images = open_dataset("digits").only("val")
    for number, item in enumerate(images.items[:200]):
        Image.fromarray(np.asarray(images.read(item))).save(folder / f"{number:03}.png")
    return folder


@pytest.fixture(scope="module")
def other(digits_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's model with noise in its weights, so that some answers differ."""
    keras = load_keras()
    model = keras.models.load_model(digits_run.path / "model.keras")
    random = np.random.default_rng(1)
    model.set_weights(
        [
            one + random.normal(0, 0.7, one.shape) * one.std() if one.size > 100 else one
            for one in model.get_weights()
        ]
    )
    file = tmp_path_factory.mktemp("other") / "other.keras"
    model.save(file)
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(check, [str(one) for one in arguments])


def test_bundle_passes_without_a_label_and_nothing_is_invented(
    exported: Path, flat: Path, tmp_path: Path
) -> None:
    done = run(
        exported, "--data", flat, "--json", tmp_path / "r.json", "--junit", tmp_path / "r.xml", "--github",
        "--margin", "0.05", "--ask", tmp_path / "ask",
    )  # fmt: skip
    assert done.exception is None, done.output
    record = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert record["verdict"] == "pass"
    assert record["artifacts"]["tflite-int8"]["golden"]["passed"]
    assert not {"top1", "ece", "delta", "worst_class"} & set(record["artifacts"]["tflite-int8"])
    assert "top1" not in (tmp_path / "r.xml").read_text("utf-8")
    assert not (tmp_path / "ask").exists()
    assert "Nothing to ask" in done.output


def test_python_has_a_function_of_its_own(exported: Path, flat: Path) -> None:
    found = check_unlabelled(exported, data=flat, margin=0.05, quick=True)
    assert (found.report.verdict, found.report.n, found.page) == ("pass", 200, None)
    with pytest.raises(UsageError, match="Call check_unlabelled"):
        snapship.check(exported, data=flat)


def test_answers_settle_what_differs(digits_run: Run, other: Path, flat: Path, tmp_path: Path) -> None:
    pair = ["--reference", digits_run.path, "--candidate", other, "--data", flat]
    asked = run(*pair, "--ask", tmp_path / "ask")
    assert isinstance(asked.exception, InconclusiveError)
    page = (tmp_path / "ask" / "ask.html").read_text("utf-8")
    photos = json.loads(re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)[0])["photos"]
    full = [photo["shown"][photo["pairs"][0][1]] for photo in photos]
    answers = tmp_path / "ask" / "answers.csv"
    answers.write_text(
        "photo,answer\n"
        + "".join(f"{photo['sha256']},{label}\n" for photo, label in zip(photos, full, strict=True))
    )
    worse = run(*pair, "--answers", answers, "--json", tmp_path / "r.json", "--ask", tmp_path / "ask")
    assert isinstance(worse.exception, GateFailedError), worse.output
    record = json.loads((tmp_path / "r.json").read_text("utf-8"))
    one = record["artifacts"][other.name]
    assert one["lost"] == one["answered"] == one["differing"] >= len(photos)
    assert record["labels"]["answered"] == len(photos)


def test_bad_usage_is_one_line_and_loses_nothing(exported: Path, flat: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "notes.txt").write_text("mine")
    nested = tmp_path / "nested"
    (nested / "inner").mkdir(parents=True)
    (nested / "0.png").write_bytes((flat / "000.png").read_bytes())
    (nested / "inner" / "1.png").write_bytes((flat / "001.png").read_bytes())
    before = sorted(tmp_path.rglob("*"))
    for arguments, words in (
        (["--data", flat, "--ask", taken], "which holds notes.txt"),
        (["--data", flat, "--ask", flat / "ask"], "beside the photos"),
        (["--data", flat, "--sequential"], "--sequential needs labelled images"),
        (["--data", nested, "--ask", tmp_path / "new"], "without sub-folders"),
        (["--data", "digits", "--ask", tmp_path / "new"], "need photos without labels"),
        (["--answers", tmp_path / "a.csv"], "no --data"),
        (["--data", tmp_path / "absent", "--ask", tmp_path / "new"], "which does not exist"),
        (
            ["--data", flat, "--answers", tmp_path / "a.csv", "--json", tmp_path / "a.csv"],
            "--answers and --json",
        ),
        (
            ["--data", flat, "--ask", tmp_path / "new", "--junit", tmp_path / "new/ask.html"],
            "--ask and --junit",
        ),
        (["--data", flat, "--worst-class", "0.1"], "--worst-class needs labelled images"),
        (["--data", flat, "--weak-reference", "allow"], "--weak-reference needs labelled images"),
        (["--data", flat, "--baseline", tmp_path / "b.json"], "--baseline needs labelled images"),
        (["--data", flat, "--report", tmp_path / "r.html"], "--report needs labelled images"),
        (["--data", flat, "--split", "train"], "no splits"),
    ):
        done = run(exported, *arguments)
        assert isinstance(done.exception, UsageError), (arguments, done.output)
        assert words in str(done.exception)
    assert sorted(tmp_path.rglob("*")) == before
