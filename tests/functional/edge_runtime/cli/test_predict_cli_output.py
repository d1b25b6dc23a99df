"""``predict`` with result options, patterns and formats, on a real bundle."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge_runtime import Classifier, ResultOptions
from edge_runtime.options import softened
from snapship.cli import cli


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture
def image(digits_bundle: Path) -> Path:
    return digits_bundle / "golden" / "0.png"


@pytest.fixture
def photos(digits_bundle: Path, tmp_path: Path) -> Path:
    """Two digits and what is no image."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(digits_bundle / "golden" / "0.png", folder / "a.png")
    shutil.copy(digits_bundle / "golden" / "1.png", folder / "deep" / "b.png")
    (folder / "c.png").write_text("no image")
    return folder


def test_classifier_applies_options_to_one_and_to_many(digits_bundle: Path, image: Path) -> None:
    with Classifier.open(digits_bundle, "tflite-fp32") as classifier:
        plain = classifier.classify(image)
        for options, label in (
            (ResultOptions(category_denylist=[plain.top.label]), plain.predictions[1].label),
            (ResultOptions(category_allowlist=["7"]), "7"),
        ):
            result = classifier.classify(image, options=options)
            assert result.top.label == label
            for workers in (1, 2):
                many = list(classifier.classify_many([image] * 3, workers=workers, options=options))
                assert many == [result] * 3
        soft = classifier.classify(image, options=ResultOptions(temperature=2.0))
        scores = classifier.scores(image)
        assert soft.top.score == float(softened(scores, 2.0).max()) < plain.top.score
        assert classifier.classify(image) == plain


def test_artifact_temperature_is_the_manifest_s(own_digits_bundle: Path, image: Path) -> None:
    manifest = own_digits_bundle / "manifest.json"
    record = json.loads(manifest.read_text())
    for artifact in record["artifacts"]:
        artifact["temperature"] = 1.7
    manifest.write_text(json.dumps(record))
    with Classifier.open(own_digits_bundle) as classifier:
        scores = classifier.scores(image)
    assert json.loads(run("predict", own_digits_bundle, image, "--json").stdout)["score"] == float(
        scores.max()
    )
    shown = run("predict", own_digits_bundle, image, "--json", "--temperature", "artifact")
    assert json.loads(shown.stdout)["score"] == float(softened(scores, 1.7).max())


def test_predict_threshold_and_lists(digits_bundle: Path, image: Path) -> None:
    words = ("predict", digits_bundle, image, "--json")
    empty = run(*words, "--score-threshold", "1")
    assert empty.exit_code == 0
    assert json.loads(empty.stdout)["predictions"] == []
    assert run(*words[:-1], "--score-threshold", "1").stdout == f"{image}  -\n"
    named = json.loads(run(*words, "--allow", "8", "--allow", "9", "--max-results", "1").stdout)
    assert [entry["label"] for entry in named["predictions"]] in (["8"], ["9"])
    others = json.loads(run(*words, "--deny", "0", "--top-k", "10").stdout)
    assert len(others["predictions"]) == 9
    assert "0" not in [entry["label"] for entry in others["predictions"]]


def test_predict_pattern_is_expanded(digits_bundle: Path, photos: Path) -> None:
    shown = run("predict", digits_bundle, photos / "**" / "[ab].png", "--json")
    assert shown.exit_code == 0
    found = [json.loads(line)["image"] for line in shown.stdout.splitlines()]
    assert found == [str(photos / "a.png"), str(photos / "deep" / "b.png")]


def test_csv_has_a_row_an_image_and_the_scores_of_json(digits_bundle: Path, photos: Path) -> None:
    shown = run("predict", digits_bundle, photos, "--format", "csv", "--top-k", "2")
    assert shown.exit_code == 2
    good, bad, deep = csv.DictReader(io.StringIO(shown.stdout))
    lines = run("predict", digits_bundle, photos, "--json", "--top-k", "2").stdout.splitlines()
    for row, line in zip((good, deep), (lines[0], lines[2]), strict=True):
        record = json.loads(line)
        assert row["file"] == record["image"]
        assert (row["label"], float(row["score"])) == (record["label"], record["score"])
        ranked = [(row[f"label_{place}"], float(row[f"score_{place}"])) for place in (1, 2)]
        assert ranked == [(entry["label"], entry["score"]) for entry in record["predictions"]]
    assert bad["error"] == json.loads(lines[1])["error"]
    assert bad["label"] == bad["score_2"] == ""


@pytest.mark.parametrize("format", ["table", "jsonl", "csv"])
def test_out_is_what_stdout_would_be(digits_bundle: Path, photos: Path, tmp_path: Path, format: str) -> None:
    out = tmp_path / "answers"
    words = ("predict", digits_bundle, photos, "--format", format)
    printed, written = run(*words), run(*words, "--out", out)
    assert printed.exit_code == written.exit_code == 2
    assert written.stdout == ""
    assert "3 images, 1 of them unusable" in written.stderr
    assert out.read_text() == printed.stdout != ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers", "photos"]


def test_parquet_has_the_columns_of_csv(digits_bundle: Path, photos: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "answers.parquet"
    words = ("predict", digits_bundle, photos, "--top-k", "2", "--format")
    assert run(*words, "parquet", "--out", out).exit_code == 2
    found = parquet.read_table(out).to_pylist()
    expected = list(csv.DictReader(io.StringIO(run(*words, "csv").stdout)))
    assert list(found[0]) == list(expected[0])
    for row, texts in zip(found, expected, strict=True):
        for name, value in row.items():
            if name.startswith("score") and value is not None:
                assert np.float32(texts[name]) == np.float32(value)
            else:
                assert (value or "") == texts[name]
    assert found[1]["score"] is None


def test_parquet_without_its_extra_names_the_pip_command(
    digits_bundle: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    failed = run("predict", digits_bundle, photos, "--format", "parquet", "--out", tmp_path / "a.parquet")
    assert failed.exit_code == 4
    assert "pip install 'snapship[parquet]'" in failed.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--allow", "cat"), "Use one of: 0, 1, 2"),
        (("--allow", "1", "--deny", "2"), "An allowlist excludes a denylist"),
        (("--temperature", "warm"), "artifact, a number"),
        (("--temperature", "0"), "0.01..100"),
        (("--format", "parquet"), "--out FILE"),
        (("--format", "csv", "--json"), "one format"),
        (("--frames", "3"), "--camera"),
        (("--watch", ".", "--out", "x"), "Redirect stdout"),
        (("--camera", "0"), "--camera excludes"),
        (("--camera", "rtsp://example.org/1"), "--camera excludes"),
        (("--threads", "257"), "1<=x<=256"),
        (("--workers", "257"), "1<=x<=256"),
        (("--watch", ".", "--settle", "nan"), "must settle"),
    ],
)
def test_options_that_make_no_sense_are_one_line(
    digits_bundle: Path, image: Path, words: tuple[str, ...], message: str
) -> None:
    failed = run("predict", digits_bundle, image, *words)
    assert failed.exit_code == 2
    assert failed.stdout == ""
    assert message in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_predict_without_an_image_says_what_it_takes(digits_bundle: Path) -> None:
    failed = run("predict", digits_bundle)
    assert failed.exit_code == 2
    assert "--watch DIR" in failed.stderr
