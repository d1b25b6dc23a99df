"""``snapship evaluate`` with its page, robustness and explanations, through the front door."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edge_runtime.image.input_spec import InputSpec
from snapship.cli import cli
from trainer import models
from trainer.analysis.robustness import CORRUPTIONS
from trainer.run.run_json import RunMetrics, RunRecord, write_run


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model knows nothing: a page about it has many mistakes. Read only."""
    folder = tmp_path_factory.mktemp("runs") / "untrained"
    folder.mkdir()
    labels = tuple("0123456789")
    model = models.build("small_cnn", input_shape=(16, 16, 1), classes=10)
    model.save(folder / "model.keras")
    write_run(
        folder,
        RunRecord(
            schema_version=1, name="untrained", model="small_cnn", labels=labels,
            input=InputSpec(height=16, width=16, channels=1), config={"phases": []},
            metrics=RunMetrics(
                val_top1=0.1, val_loss=2.3, val_images=385, train_images=1412, epochs=0, seconds=1.0
            ),
            data_source="digits", data_sha256="0" * 64, versions={}, seed=0, backend="tensorflow",
            created="2026-01-01T00:00:00+00:00",
        ),
    )  # fmt: skip
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "my <photo>.png"
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def test_text_has_f1_and_the_macro_average(untrained: Path) -> None:
    result = run("evaluate", untrained, "digits")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert "macro F1" in lines[0]
    assert lines[1].split() == ["class", "images", "recall", "precision", "F1"]
    assert lines[-1].startswith("macro average     385")


def test_json_has_macro_reliability_and_robustness(untrained: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run("evaluate", untrained, "digits", "--json", "--robustness", "--robustness-images", "20",
                 "--report", page)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    f1 = [entry["f1"] for entry in document["per_class"]]
    assert document["macro"]["f1"] == pytest.approx(sum(f1) / 10)
    assert sum(bin_["images"] for bin_ in document["reliability"]) == document["n"] == 385
    found = document["robustness"]
    assert (found["images"], found["severities"]) == (20, [1, 2, 3, 4, 5])
    assert [curve["family"] for curve in found["curves"]] == [family.name for family in CORRUPTIONS]
    assert all(len(curve["top1"]) == 5 for curve in found["curves"])
    assert document["report"] == str(page)


def test_page_of_a_run_shows_every_section(untrained: Path, tmp_path: Path) -> None:
    page = tmp_path / "deep" / "page.html"
    result = run("evaluate", untrained, "digits", "--report", page)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-1] == f"report  {page}"
    text = page.read_text("utf-8")
    assert "Not measured. Add --robustness." in text
    assert "Grad-CAM (Selvaraju" in text
    assert "at layer conv2" in text
    assert "First-layer filters" in text
    # Three mistakes and three right answers; an untrained model may have none right of a class.
    assert text.count('<div class="explained">') == 6
    assert "ot available" not in text


def test_images_to_explain_are_shown_with_all_scores(untrained: Path, tmp_path: Path, photo: Path) -> None:
    page = tmp_path / "page.html"
    result = run("evaluate", untrained, "digits", "--report", page, "--explain", photo, "--explain", photo)
    assert result.exit_code == 0, result.stderr
    text = page.read_text("utf-8")
    assert text.count('<div class="explained">') == 2
    assert "my &lt;photo&gt;.png" in text
    assert "The images passed with --explain." in text


def test_page_of_a_bundle_says_what_needs_the_run(digits_bundle: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run("evaluate", digits_bundle, "digits", "--report", page, "--robustness", "--robustness-images",
                 "10")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "top-1 by severity, 10 images:" in result.stdout
    text = page.read_text("utf-8")
    assert "filters, feature maps and Grad-CAM require the run folder" in text
    for heading in ("Calibration", "Most confident mistakes", "Closest calls", "Robustness"):
        assert f"<h2>{heading}</h2>" in text
    assert "Top-1 in % on 10 images" in text


def test_bundle_with_its_page_needs_no_keras(digits_bundle: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code = f"""
import sys
for name in ("tensorflow", "keras"):
    sys.modules[name] = None
from snapship.cli import cli
cli(["evaluate", {str(digits_bundle)!r}, "digits", "--json", "--report", {str(page)!r}])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["top1"] > 0.9
    assert page.is_file()


def test_artifact_of_a_bundle_can_be_named(digits_bundle: Path) -> None:
    kinds = [
        entry["kind"] for entry in json.loads((digits_bundle / "manifest.json").read_text())["artifacts"]
    ]
    for kind in kinds:
        assert run("evaluate", digits_bundle, "digits", "--artifact", kind).exit_code == 0
    assert f"Use one of: {kinds[0]}" in run("evaluate", digits_bundle, "digits", "--artifact", "tpu").stderr


def test_what_cannot_be_done_is_refused_before_anything_slow(
    untrained: Path, digits_bundle: Path, tmp_path: Path, photo: Path
) -> None:
    text = tmp_path / "text.png"
    text.write_text("no picture")
    page = tmp_path / "page.html"
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").write_text("")
    for words, expected in (
        ((untrained, "digits", "--report", tmp_path / "photo.jpg"), "must be an .html file"),
        ((untrained, "digits", "--report", tmp_path / "folder.html"), "a folder. Pass --report"),
        ((untrained, "digits", "--report", tmp_path / "file" / "page.html"), "must be writable"),
        ((untrained, "digits", "--explain", photo), "--explain requires --report"),
        ((untrained, "digits", "--report", page, "--explain", "nowhere.jpg"), "nowhere.jpg"),
        ((untrained, "digits", "--report", page, "--explain", text), "text.png"),
        ((digits_bundle, "digits", "--report", page, "--explain", photo), "Pass the run folder"),
        ((untrained, "digits", "--artifact", "tflite-int8"), "An artifact requires a bundle"),
    ):
        result = run("evaluate", *words)
        assert result.exit_code == 2, (words, result.output)
        assert result.stdout == ""
        line = result.stderr.splitlines()[-1]
        assert line.startswith("Error: "), line
        assert expected in line, line
        assert "Received: " in line
        assert not page.exists()
        assert "evaluating" not in result.stderr
    assert run("evaluate", untrained, "digits", "--robustness-images", "0").exit_code == 2
