"""``predict --camera`` on a video file, where OpenCV is installed; a camera itself is not tested."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edge_runtime import Classifier
from snapship.cli import cli

FRAMES, RATE = 25, 10


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture
def film(digits_bundle: Path, tmp_path: Path) -> Path:
    """Ten frames of a 0, then fifteen of a 1, losslessly, at 10 frames a second."""
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), RATE, (64, 64))
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write video")
    for number in range(FRAMES):
        digit = digits_bundle / "golden" / ("0.png" if number < 10 else "1.png")
        frame = np.asarray(Image.open(digit).convert("RGB").resize((64, 64), Image.Resampling.NEAREST))
        writer.write(np.ascontiguousarray(frame[:, :, ::-1]))
    writer.release()
    return path


def test_json_has_every_frame_and_stops_when_told(digits_bundle: Path, film: Path) -> None:
    shown = run("predict", digits_bundle, "--json", "--camera", film)
    assert shown.exit_code == 0, shown.stderr
    records = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [record["image"] for record in records] == [f"{film}#{number}" for number in range(FRAMES)]
    assert [record["label"] for record in records] == ["0"] * 10 + ["1"] * 15
    assert (
        len(run("predict", digits_bundle, "--json", "--frames", "3", "--camera", film).stdout.splitlines())
        == 3
    )


def test_table_has_the_best_class_of_each_second(digits_bundle: Path, film: Path) -> None:
    lines = run("predict", digits_bundle, "--camera", film).stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        [f"{film}#0", "0"], [f"{film}#10", "1"], [f"{film}#20", "1"],
    ]  # fmt: skip
    assert {len(line.split()) for line in lines} == {3}


def test_csv_file_is_written_when_the_film_ends(digits_bundle: Path, film: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    assert run("predict", digits_bundle, "--format", "csv", "--out", out, "--camera", film).exit_code == 0
    assert len(list(csv.DictReader(io.StringIO(out.read_text())))) == FRAMES


def test_frames_are_red_green_blue(film: Path, digits_bundle: Path, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    from edge_runtime.cli.camera import Camera

    path = tmp_path / "red.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), RATE, (64, 48))
    red = np.zeros((48, 64, 3), np.uint8)
    red[:, :, 2] = 255
    writer.write(red)
    writer.release()
    with Camera(str(path)) as camera, Classifier.open(digits_bundle) as classifier:
        ((number, frame),) = camera.frames(0.0)
        assert number == 0
        assert frame.dtype == np.uint8
        assert frame.shape == (48, 64, 3)
        np.testing.assert_allclose(frame.mean(axis=(0, 1)), [255, 0, 0], atol=3)
        assert classifier.pixels(frame).shape == classifier.input.shape


def test_camera_that_is_not_there_is_the_environment_s_fault(digits_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    missing = run("predict", digits_bundle, "--json", "--camera", "97")
    assert missing.exit_code == 4
    assert missing.stderr.startswith(
        "Error: A camera must be connected and free. Received: camera 97, it does not open"
    )
    text = tmp_path / "text.avi"
    text.write_text("no film")
    for source in (text, tmp_path / "none.avi"):
        failed = run("predict", digits_bundle, "--camera", source)
        assert failed.exit_code == 2
        assert failed.stderr.startswith("Error: A video file must ")


def test_url_is_no_camera(digits_bundle: Path) -> None:
    failed = run("predict", digits_bundle, "--json", "--frames", "1", "--camera", "rtsp://example.org/1")
    assert failed.exit_code == 2
    assert failed.stderr.startswith("Error: A camera must be a number or a video file. Received: rtsp://")


def test_camera_without_its_extra_names_the_pip_command(
    digits_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    failed = run("predict", digits_bundle, "--camera")
    assert failed.exit_code == 4
    assert "pip install 'snapship[camera]'" in failed.stderr
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize("number", ["2147483648", "9" * 5000])
def test_number_beyond_any_camera_is_refused(digits_bundle: Path, number: str) -> None:
    failed = run("predict", digits_bundle, "--camera", number)
    assert failed.exit_code == 2
    assert "at most 9 digits" in failed.stderr
