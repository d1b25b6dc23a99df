"""Exports of a model that int8 ruins: one weight that nothing uses coarsens the grid of all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Bundle, Classifier
from edge_runtime.common.errors import GateFailedError, UsageError
from edge_runtime.dataset import open_dataset
from exporter import ExportConfig, export
from exporter.common.backend import load_keras
from exporter.judge.saved_report import saved_report
from exporter.judge.verdict import ArtifactReport
from trainer import Run

BROKEN = ("tflite-int8", "c-array")


@pytest.fixture(scope="module")
def ruined(digits_run: Run, tmp_path_factory: pytest.TempPathFactory) -> ExportConfig:
    """How to export it: ``scores`` reads a channel that is always 0 with enormous weights."""
    model = load_keras().models.load_model(digits_run.path / "model.keras")
    kernel, bias = model.get_layer("dense").get_weights()
    bias[3] = -1e5
    model.get_layer("dense").set_weights([kernel, bias])
    kernel, bias = model.get_layer("scores").get_weights()
    kernel[3] = 200.0
    model.get_layer("scores").set_weights([kernel, bias])
    folder = tmp_path_factory.mktemp("ruined")
    model.save(folder / "model.keras")
    return ExportConfig(
        source=folder / "model.keras", out=folder / "x.bundle", data="digits", artifacts=BROKEN,
        evidence="quick",
    )  # fmt: skip


def found_in(bundle: Bundle) -> dict[str, ArtifactReport]:
    report = saved_report(bundle)
    assert report is not None
    return report.artifacts


def repairs_of(bundle: Bundle) -> dict[str, tuple[str, ...]]:
    return {entry.kind: entry.repairs for entry in bundle.manifest.artifacts}


def sha256_of(bundle: Bundle) -> str:
    (entry,) = bundle.manifest.artifacts
    return entry.sha256


def photos_of(folder: Path, split: str, rows: Sequence[int]) -> None:
    """Some of the digits of a split as PNG files in class folders."""
    images = open_dataset("digits").only("train" if split == "train" else "val")
    for row in rows:
        item = images.items[row]
        place = folder / split / images.labels[item.label] / f"{row}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        array = np.asarray(images.read(item))
        Image.fromarray(array.reshape(array.shape[:2])).save(place)


def test_judging_images_have_no_part_in_the_repair(ruined: ExportConfig, tmp_path: Path) -> None:
    photos_of(tmp_path / "calibration", "train", range(120))
    photos_of(tmp_path / "all", "val", range(100))
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"{digit}\n" for digit in range(10)), encoding="utf-8")
    config = replace(
        ruined, calibration_data=tmp_path / "calibration", labels=labels, artifacts=("tflite-int8",),
        missing_classes="allow", golden=0, agreement=0.8, weak_reference="allow",
    )  # fmt: skip
    plain = export(replace(config, out=tmp_path / "plain.bundle", data=tmp_path / "all", repair="off"))
    with Classifier.open(plain, "tflite-int8", allow_failed=True) as classifier:
        files = sorted((tmp_path / "all").rglob("*.png"))
        right = [classifier.classify(file).top.label == file.parent.name for file in files]
    made = {}
    for name, wanted in (("content", True), ("displeased", False)):
        # On the first set the plain file makes one mistake, on the other nothing else.
        for file, found in zip(files, right, strict=True):
            if found is wanted or file is files[right.index(False)]:
                place = tmp_path / name / "val" / file.parent.name / file.name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(file.read_bytes())
        bundle = export(replace(config, out=tmp_path / f"{name}.bundle", data=tmp_path / name))
        made[name] = sha256_of(bundle), repairs_of(bundle)["tflite-int8"]
    assert made["content"] == made["displeased"]
    assert made["content"][1]
    assert made["content"][0] != sha256_of(plain)


def test_what_disagrees_on_calibration_images_is_repaired(ruined: ExportConfig, tmp_path: Path) -> None:
    bundle = export(replace(ruined, out=tmp_path / "x.bundle"))
    int8, array = (found_in(bundle)[kind] for kind in BROKEN)
    assert int8.repair is not None
    first, last = int8.repair.rungs[0], [step for step in int8.repair.rungs if step.kept][-1]
    assert (first.name, first.passed, last.passed) == ("per-channel int8", False, True)
    assert last.agreement > first.agreement + 0.1
    assert (int8.verdict, int8.agreement >= 0.975) == ("pass", True)
    # The array is the repaired file: its scores are the same to the last bit.
    assert (array.kl, array.max_abs_dp, array.won, array.lost) == (
        int8.kl, int8.max_abs_dp, int8.won, int8.lost,
    )  # fmt: skip
    kept = tuple(step.name for step in int8.repair.rungs[1:] if step.kept)
    assert kept
    assert repairs_of(bundle) == dict.fromkeys(BROKEN, kept)


def test_repair_off_ships_it_as_it_is(ruined: ExportConfig, tmp_path: Path) -> None:
    bundle = export(replace(ruined, out=tmp_path / "x.bundle", repair="off"))
    for found in found_in(bundle).values():
        assert (found.verdict, found.repair) == ("fail", None)
    assert repairs_of(bundle) == dict.fromkeys(BROKEN, ())


def test_repair_without_judging_images_is_in_the_manifest(ruined: ExportConfig, tmp_path: Path) -> None:
    bundle = export(replace(ruined, out=tmp_path / "x.bundle", check=False, artifacts=("tflite-int8",)))
    assert not bundle.has("check.json")
    assert repairs_of(bundle)["tflite-int8"]
    off = replace(ruined, out=tmp_path / "off.bundle", check=False, repair="off", artifacts=("tflite-int8",))
    assert repairs_of(export(off)) == {"tflite-int8": ()}


def test_photos_of_other_things_calibrate_and_repair(ruined: ExportConfig, tmp_path: Path) -> None:
    train = open_dataset("digits").only("train")
    for index, item in enumerate(train.items[:60]):
        place = tmp_path / "photos" / ("even" if index % 2 else "odd") / f"{index}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        array = np.asarray(train.read(item))
        Image.fromarray(array.reshape(array.shape[:2])).save(place)
    bundle = export(
        replace(
            ruined, out=tmp_path / "x.bundle", calibration_data=tmp_path / "photos",
            artifacts=("tflite-int8",),
        )
    )  # fmt: skip
    found = found_in(bundle)["tflite-int8"]
    assert repairs_of(bundle)["tflite-int8"]
    assert found.agreement >= 0.975
    assert bundle.manifest.provenance.calibration_images == 60


def test_best_fails_with_1_where_nothing_passes(ruined: ExportConfig, tmp_path: Path) -> None:
    out = tmp_path / "x.bundle"
    with pytest.raises(GateFailedError, match="tflite-int8: fail") as caught:
        export(replace(ruined, out=out, repair="off", best="size", artifacts=("tflite-int8",)))
    assert caught.value.exit_code == 1
    assert not list(tmp_path.iterdir())


def test_best_ships_the_repaired_file_alone(ruined: ExportConfig, tmp_path: Path) -> None:
    kinds = ("tflite-fp32", "tflite-int8", "saved-model")
    bundle = export(replace(ruined, out=tmp_path / "x.bundle", best="size", artifacts=kinds))
    assert list(repairs_of(bundle)) == ["tflite-int8"]
    assert repairs_of(bundle)["tflite-int8"]
    files = {path.name for path in (tmp_path / "x.bundle").iterdir()}
    assert files == {
        "manifest.json",
        "labels.txt",
        "check.json",
        "report.html",
        "golden",
        "model_int8.tflite",
    }
    report = saved_report(bundle)
    assert report is not None
    assert report.pareto is not None
    assert {point.name: point.picked for point in report.pareto.points} == {
        "tflite-fp32": False, "tflite-int8": True, "saved-model": False,
    }  # fmt: skip


def test_run_takes_no_other_range_of_pixels(digits_run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="raw pixels"):
        export(ExportConfig(source=digits_run.path, out=tmp_path / "x.bundle", input_range="0..1"))
    assert not list(tmp_path.iterdir())
