"""A model of somebody else's, trained on plain pixels: measured, exported, run and served with them."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edge_runtime import Bundle, Classifier, pixels
from edge_runtime.common.errors import ModelFileError, SnapshipError, UsageError
from edge_runtime.golden import selftest
from exporter import CheckConfig, ExportConfig, check, export
from exporter.checking import CheckResult, run_check
from exporter.common.backend import load_keras
from exporter.reference.usage_check import use_of_source
from exporter.source.full_model import find_source
from exporter.source.input_range import own_input
from serverless.app import create_app
from snapship.cli import cli
from trainer import Run

SIZE, LARGE = 16, 64
NAMES = ("rough", "smooth")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise of much contrast and of little: an antialiased resize leaves little of either."""
    folder, rng = tmp_path_factory.mktemp("resize") / "photos", np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 20)):
        for name, (low, high) in zip(NAMES, ((50, 127), (4, 12)), strict=True):
            (folder / split / name).mkdir(parents=True)
            for index in range(count):
                gray = 128 + rng.uniform(low, high) * rng.choice((-1, 1), (LARGE, LARGE, 3))
                Image.fromarray(gray.astype(np.uint8)).save(folder / split / name / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calls rough what has the contrast that a rough photo keeps in a plain resize."""
    keras: Any = load_keras()
    image = keras.Input((SIZE, SIZE, 3))
    # Differences of neighbours and their negatives; their mean over the image is its contrast.
    contrast = keras.layers.Conv2D(6, (1, 2), activation="relu", name="edges")(image)
    mean = keras.layers.GlobalAveragePooling2D()(contrast)
    built = keras.Model(image, keras.layers.Dense(2, activation="softmax", name="scores")(mean))
    kernel = np.zeros((1, 2, 3, 6), np.float32)
    for channel in range(3):
        kernel[0, :, channel, 2 * channel] = (1, -1)
        kernel[0, :, channel, 2 * channel + 1] = (-1, 1)
    built.get_layer("edges").set_weights([kernel, np.zeros(6, np.float32)])
    # Rough noise keeps half of its contrast, 25 to 64; smooth has at most 6.
    slope = np.stack([np.full(6, 1.0), np.full(6, -1.0)], axis=1).astype(np.float32)
    built.get_layer("scores").set_weights([slope, np.array([-50, 50], np.float32)])
    path = tmp_path_factory.mktemp("model") / "model.keras"
    built.save(path)
    return path


@pytest.fixture(scope="module")
def config(model: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportConfig:
    return ExportConfig(
        source=model, out=tmp_path_factory.mktemp("out") / "plain.bundle", data=photos, resize="plain",
        artifacts=("tflite-fp32", "tflite-int8", "onnx-fp32", "saved-model"), calibration=12,
    )  # fmt: skip


@pytest.fixture(scope="module")
def plain(config: ExportConfig) -> Bundle:
    """Read only."""
    return export(config)


@pytest.fixture(scope="module")
def antialiased(config: ExportConfig) -> Bundle:
    """Read only."""
    out = Path(config.out).with_name("antialiased.bundle")
    return export(replace(config, resize=None, out=out, artifacts=("tflite-fp32",), weak_reference="allow"))


def notes(bundle: Bundle) -> list[str]:
    found: list[str] = json.loads(bundle.read("check.json"))["notes"]
    return found


def test_export_says_that_the_other_one_suits(antialiased: Bundle) -> None:
    (note,) = notes(antialiased)
    assert note.startswith("plain resizing suits model.keras: right on ")
    assert "more of 40 images than with antialiased" in note
    assert note.endswith("Pass --resize plain.")


def test_export_says_that_the_present_one_suits(plain: Bundle) -> None:
    (note,) = notes(plain)
    assert note.startswith("plain resizing suits model.keras: right on ")
    assert "Pass" not in note


def test_quick_does_not_ask(config: ExportConfig, tmp_path: Path) -> None:
    made = replace(config, out=tmp_path / "x.bundle", artifacts=("tflite-fp32",), evidence="quick")
    assert notes(export(made)) == []


def test_bundle_keeps_it_and_every_format_says_it(plain: Bundle, antialiased: Bundle) -> None:
    manifest = json.loads(plain.read("manifest.json"))
    assert manifest["input"]["resize"] == "plain"
    assert manifest["preprocess"]["resize"] == "plain-bilinear"
    assert "resize" not in json.loads(antialiased.read("manifest.json"))["input"]
    folder = plain.location
    about = {entry.key: entry.value for entry in onnx.load(folder / "model_fp32.onnx").metadata_props}
    assert json.loads(about["preprocess"])["resize"] == "plain-bilinear"
    words = b"Resized bilinearly without antialiasing."
    assert words in (folder / "model_int8.tflite").read_bytes()
    assert words not in (antialiased.location / "model_fp32.tflite").read_bytes()


def test_device_golden_examples_and_endpoint_use_it(plain: Bundle, photos: Path) -> None:
    outcome = selftest(plain)
    assert outcome.passed
    assert {replay.artifact for replay in outcome.replays} >= {"tflite-fp32", "tflite-int8"}
    photo = photos / "val" / "rough" / "0.png"
    antialiased = pixels(photo, replace_resize(plain))
    with Classifier.open(plain.location, "tflite-fp32") as classifier:
        scores = classifier.scores(photo)
        assert not np.array_equal(classifier.pixels(photo), antialiased)
        right = [classifier.classify(path).top.label for path in (photos / "val" / "rough").iterdir()]
        assert right == ["rough"] * 20
        info, answer = served(classifier, photo.read_bytes())
    assert info["model"]["input"]["resize"] == "plain"
    assert answer["label"] == "rough"
    assert answer["score"] == pytest.approx(float(scores.max()), abs=1e-6)


def replace_resize(bundle: Bundle) -> Any:
    import msgspec

    return msgspec.structs.replace(bundle.manifest.input, resize="antialiased")


def served(classifier: Classifier, photo: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    async def both() -> tuple[dict[str, Any], dict[str, Any]]:
        transport = httpx.ASGITransport(create_app(classifier))
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            answer = await client.post("/classify", content=photo, headers={"content-type": "image/png"})
            return (await client.get("/info")).json(), answer.json()

    return asyncio.run(both())


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def checked(reference: Path, candidate: Path, photos: Path, **options: Any) -> CheckResult:
    options = {"weak_reference": "allow", **options}
    config = CheckConfig(reference=reference, candidate=candidate, data=photos, **options)
    return run_check(config, diagnostics=False)


def test_check_of_files_takes_it_and_measures_both(
    model: Path, plain: Bundle, photos: Path, tmp_path: Path
) -> None:
    # Away from its bundle, a file is anybody's.
    alone = shutil.copy(plain.location / "model_fp32.tflite", tmp_path / "alone.tflite")
    wrong = run("check", "--reference", model, "--candidate", alone, "--data", photos, "--inconclusive=pass")
    assert "Note: plain resizing suits model.keras: right on " in wrong.output, wrong.output
    assert "Pass --resize plain." in wrong.output
    right = checked(model, alone, photos, resize="plain")
    assert right.report.reference.top1 == 1.0
    assert "Pass" not in right.report.notes[-1]
    asked = checked(model, alone, photos, resize="plain", quick=True).report.notes
    assert not any("resizing" in note for note in asked)


def test_check_of_a_bundle_uses_its_own_and_measures_both(
    plain: Bundle, antialiased: Bundle, photos: Path
) -> None:
    assert check(plain.location, data=photos).reference.top1 == 1.0
    options: dict[str, Any] = {"data": photos, "weak_reference": "allow"}
    assert (
        run_check(CheckConfig(antialiased.location, **options), diagnostics=False)
        .report.notes[0]
        .endswith("Export it again with --resize plain.")
    )
    assert run_check(CheckConfig(plain.location, **options, quick=True)).report.notes == ()


def test_a_bundle_s_file_and_a_run_bring_their_own(
    model: Path, plain: Bundle, antialiased: Bundle, photos: Path, digits_run: Run
) -> None:
    file = plain.location / "model_fp32.tflite"
    assert checked(model, file, photos).report.reference.top1 == 1.0
    for option, given in (("fit", "crop"), ("resize", "plain")):
        with pytest.raises(UsageError, match=f"bundle's file has its own {option}. .* Leave --{option} out."):
            checked(model, file, photos, **{option: given})
        for pair in ((digits_run.path, file), (model, digits_run.path)):
            with pytest.raises(UsageError, match=f"A run folder has its own {option}"):
                checked(*pair, photos, **{option: given})
        with pytest.raises(UsageError, match=f"A run folder has its own {option}"):
            export(ExportConfig(source=digits_run.path, out=plain.location.parent / "x", **{option: given}))
        refused = run("check", plain.location, "--data", photos, f"--{option}", given)
        assert refused.exit_code == 2
        assert "a bundle has its own" in refused.output
    with pytest.raises(ModelFileError, match=r"stretch and antialiased, .*stretch and plain"):
        checked(antialiased.location / "model_fp32.tflite", file, photos)


def test_a_bundle_s_own_savedmodel_keeps_its_pixels_as_a_source(plain: Bundle, tmp_path: Path) -> None:
    folder = plain.location / "model_saved_model"
    for path in (folder, folder / "saved_model.pb"):
        source = find_source(path)
        assert (source.fit, source.resize, source.brings_pixels) == ("stretch", "plain", True)
        assert use_of_source(source, "0..255", open_order=False).resize_cure is None
    with pytest.raises(UsageError, match=r"bundle's file has its own resize. .* Leave --resize out"):
        find_source(folder, resize="antialiased")
    alone = find_source(shutil.copytree(folder, tmp_path / "alone"))
    assert (alone.resize, alone.brings_pixels) == ("antialiased", False)
    assert use_of_source(alone, "0..255", open_order=False).resize_cure == "Pass"


def test_a_manifest_of_another_tool_is_no_bundle(model: Path, tmp_path: Path) -> None:
    alone = Path(shutil.copy(model, tmp_path / "model.keras"))
    (tmp_path / "manifest.json").write_text('{"name": "a web app"}')
    assert own_input(alone) is None


@pytest.mark.parametrize("option", ["fit", "resize"])
def test_another_name_is_told_before_anything_slow(option: str) -> None:
    with pytest.raises(SnapshipError, match=f"{option}.*'nearest'"):
        ExportConfig(source="x", out="y", **{option: "nearest"})  # type: ignore[arg-type]
