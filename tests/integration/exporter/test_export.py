from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Bundle, Classifier, selftest
from edge_runtime.common.errors import DataError, ModelFileError, SnapshipError, UsageError
from edge_runtime.dataset import open_dataset
from exporter import ExportConfig, check, export
from exporter.common.backend import load_keras_model
from exporter.formats.kinds import DEFAULT_KINDS
from trainer import Run


def test_bundle_holds_what_the_design_says(exported: Path) -> None:
    names = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    assert {
        "manifest.json", "labels.txt", "check.json", "report.html", "golden/golden.json",
        "run_fp32.tflite", "run_int8.tflite", "run_fp32.onnx",
    } <= names  # fmt: skip
    manifest = Bundle.open(exported).manifest
    assert [entry.kind for entry in manifest.artifacts] == list(DEFAULT_KINDS)
    assert {entry.verdict for entry in manifest.artifacts} == {"pass"}
    assert manifest.provenance.calibration_images == 200
    page = (exported / "report.html").read_text(encoding="utf-8")
    assert "://" not in page.replace("http://www.w3.org", "")


@pytest.mark.parametrize("kind", ["tflite-fp32", "onnx-fp32"])
def test_classifier_equals_keras_on_the_same_pixels(exported: Path, digits_run: Run, kind: str) -> None:
    keras = load_keras_model(digits_run.path / "model.keras")
    images = open_dataset("digits").only("val")
    with Classifier.open(exported, kind) as classifier:
        for item in images.items[:60]:
            pixels = classifier.pixels(images.read(item))
            wanted = np.asarray(keras(pixels[np.newaxis].astype(np.float32), training=False))[0]
            assert np.abs(classifier.scores(images.read(item)) - wanted).max() <= 1e-4


def test_golden_examples_replay_and_notice_tampering(exported: Path, tmp_path: Path) -> None:
    assert selftest(Bundle.open(exported)).passed
    copy = tmp_path / "copy.bundle"
    shutil.copytree(exported, copy)
    (copy / "golden" / "0.png").write_bytes((copy / "golden" / "1.png").read_bytes())
    found = selftest(Bundle.open(copy))
    assert not found.passed
    assert {replay.failed for replay in found.replays} == {None, "file"}


def test_check_repeats_the_verdict(exported: Path) -> None:
    report = check(exported)
    recorded = json.loads((exported / "check.json").read_text(encoding="utf-8"))
    assert report.verdict == "pass" == recorded["verdict"]
    for kind, found in report.artifacts.items():
        assert found.lost == recorded["artifacts"][kind]["lost"]
        assert found.top1 == recorded["artifacts"][kind]["top1"]


def test_zip_bundle(digits_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "digits.zip"
    export(ExportConfig(source=digits_run.path, out=out, artifacts=("tflite-fp32",), name="zipped"))
    assert [path.name for path in tmp_path.iterdir()] == ["digits.zip"]
    with Classifier.open(out) as classifier:
        assert classifier.artifact.file == "zipped_fp32.tflite"
    assert selftest(Bundle.open(out)).passed
    assert check(out).verdict == "pass"


def test_keras_file_with_labels_and_photos(saved: Callable[..., Path], tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("ash\nbirch\noak\nzelkova\n", encoding="utf-8")
    photos = tmp_path / "photos"
    rng = np.random.default_rng(0)
    for name in ("ash", "birch", "oak", "zelkova"):
        (photos / name).mkdir(parents=True)
        for index in range(12):
            array = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
            Image.fromarray(array).save(photos / name / f"{index}.png")
    out = tmp_path / "trees.bundle"
    config = ExportConfig(
        source=saved(), out=out, labels=labels, data=photos, fit="crop", weak_reference="allow"
    )
    bundle = export(config)
    assert bundle.manifest.labels == ("ash", "birch", "oak", "zelkova")
    assert bundle.manifest.input.fit == "crop"
    # A model that guesses, on few images: nothing can be said, and that is said.
    assert check(out, data=photos, split="all", weak_reference="allow").n == 48
    with pytest.raises(
        DataError, match=r"Export it again with --labels or --input-range .* --weak-reference allow"
    ):
        check(out, data=photos, split="all")


def test_export_without_images_is_unchecked(saved: Callable[..., Path], tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("a\nb\nc\nd\n", encoding="utf-8")
    config = ExportConfig(
        source=saved(), out=tmp_path / "x.bundle", labels=labels, artifacts=("tflite-fp32", "onnx-fp32")
    )
    bundle = export(config)
    assert {entry.verdict for entry in bundle.manifest.artifacts} == {"unchecked"}
    assert bundle.manifest.golden is None
    assert not bundle.has("check.json")


def test_a_bundle_that_came_meanwhile_stays(
    saved: Callable[..., Path], digits_bundle: Path, tmp_path: Path
) -> None:
    labels, out = tmp_path / "labels.txt", tmp_path / "x.bundle"
    labels.write_text("a\nb\nc\nd\n", encoding="utf-8")

    def another(step: str, done: int, total: int) -> None:
        if step.startswith("writing"):
            shutil.copytree(digits_bundle, out)

    with pytest.raises(UsageError, match="must be new"):
        export(ExportConfig(source=saved(), out=out, labels=labels, artifacts=("onnx-fp32",)), another)
    assert Bundle.open(out).manifest.name == "digits"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.txt", "model0.keras", "x.bundle"]


def test_int8_without_images_is_an_error_and_leaves_nothing(
    saved: Callable[..., Path], tmp_path: Path
) -> None:
    labels, out = tmp_path / "labels.txt", tmp_path / "out" / "x.bundle"
    labels.write_text("a\nb\nc\nd\n", encoding="utf-8")
    with pytest.raises(DataError, match="--calibration-data"):
        export(ExportConfig(source=saved(), out=out, labels=labels))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.txt", "model0.keras"]


def test_interrupt_keeps_the_old_bundle(
    digits_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "digits.bundle"
    config = ExportConfig(source=digits_run.path, out=out, artifacts=("tflite-fp32",), overwrite=True)
    export(config)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def interrupt(step: str, done: int, total: int) -> None:
        if step.startswith("writing"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(config, interrupt)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["digits.bundle"]


def photos_of(folder: Path, split: str, count: int) -> None:
    rng = np.random.default_rng(len(split))
    for name in ("ash", "birch", "oak", "zelkova"):
        (folder / split / name).mkdir(parents=True)
        for index in range(count):
            array = rng.integers(0, 256, (12, 10, 3), dtype=np.uint8)
            Image.fromarray(array).save(folder / split / name / f"{index}.png")


def test_float_artifacts_need_no_train_images(
    saved: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos_of(photos, "val", 5)
    (photos / "train").mkdir()
    table = tmp_path / "photos" / "val.csv"
    rows = [f"{path.relative_to(photos).as_posix()},{path.parent.name},val" for path in photos.rglob("*.png")]
    table.write_text("path,label,split\n" + "\n".join(rows), encoding="utf-8")
    floats = ExportConfig(
        source=saved(), out=tmp_path / "x.bundle", data=table, artifacts=("tflite-fp32", "onnx-fp32"),
        weak_reference="allow",
    )  # fmt: skip
    bundle = export(floats)
    assert bundle.manifest.provenance.calibration_images == 0
    assert {entry.metrics.n for entry in bundle.manifest.artifacts if entry.metrics} == {20}

    def not_reached(source: object) -> None:
        raise AssertionError("the model was loaded before the data was checked")

    monkeypatch.setattr("exporter.exporting.load_source", not_reached)
    with pytest.raises(DataError, match="--calibration-data"):
        export(ExportConfig(source=saved(), out=tmp_path / "y.bundle", data=table))


def test_data_may_lack_classes_where_that_is_allowed(saved: Callable[..., Path], tmp_path: Path) -> None:
    labels, photos = tmp_path / "labels.txt", tmp_path / "photos"
    labels.write_text("zelkova\noak\nbirch\nash\n", encoding="utf-8")
    photos_of(photos, "train", 4)
    photos_of(photos, "val", 4)
    for split in ("train", "val"):
        shutil.rmtree(photos / split / "birch")
    config = ExportConfig(source=saved(), out=tmp_path / "x.bundle", data=photos, labels=labels, golden=12)
    with pytest.raises(DataError, match="'birch'"):
        export(config)
    assert not (tmp_path / "x.bundle").exists()
    bundle = export(replace(config, missing_classes="allow", weak_reference="allow"))
    assert bundle.manifest.labels == ("zelkova", "oak", "birch", "ash")
    golden = json.loads(bundle.read("golden/golden.json"))
    assert {example["label"] for example in golden["examples"]} == {"zelkova", "oak", "ash"}
    assert {len(example["scores"]["tflite-int8"]) for example in golden["examples"]} == {4}


def test_model_is_found_through_links(digits_run: Run, tmp_path: Path) -> None:
    real, far = tmp_path / "disk" / "deep" / "er", tmp_path / "far"
    real.mkdir(parents=True)
    far.mkdir()
    (tmp_path / "out").symlink_to(real)
    shutil.copytree(digits_run.path, far / "run")
    (tmp_path / "runs").symlink_to(far)
    export(
        ExportConfig(
            source=tmp_path / "runs" / "run", out=tmp_path / "out" / "x.bundle", artifacts=("tflite-fp32",)
        )
    )
    for way in (tmp_path / "out", real):
        assert check(way / "x.bundle").verdict == "pass"


def test_damaged_files_are_one_line_errors(tmp_path: Path) -> None:
    for content in (b"", b"hello", b"PK\x03\x04" + b"\0" * 40):
        path = tmp_path / "model.keras"
        path.write_bytes(content)
        with pytest.raises(ModelFileError) as caught:
            export(
                ExportConfig(
                    source=path, out=tmp_path / "x.bundle", artifacts=("tflite-fp32",), data="digits"
                )
            )
        assert "\n" not in str(caught.value)
        assert [entry.name for entry in tmp_path.iterdir()] == ["model.keras"]


def test_labels_must_match_the_outputs(saved: Callable[..., Path], tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("a\nb\n", encoding="utf-8")
    config = ExportConfig(source=saved(), out=tmp_path / "x.bundle", labels=labels, artifacts=("onnx-fp32",))
    with pytest.raises(SnapshipError, match="2 labels, 4 outputs"):
        export(config)


def test_changed_full_model_is_noticed(exported: Path, digits_run: Run, tmp_path: Path) -> None:
    run, bundle = tmp_path / "run", tmp_path / "digits.bundle"
    shutil.copytree(digits_run.path, run)
    export(ExportConfig(source=run, out=bundle, artifacts=("tflite-fp32",)))
    with (run / "model.keras").open("ab") as file:
        file.write(b"x")
    with pytest.raises(UsageError, match="has changed"):
        check(bundle)
    shutil.rmtree(run)
    with pytest.raises(UsageError, match="--reference"):
        check(bundle)
    assert check(bundle, reference=digits_run.path).verdict == "pass"
