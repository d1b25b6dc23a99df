"""Engines and tools that snapship does not use open the exported files and give our answers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

CLIENT = Path(__file__).with_name("readers_client.py")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def read(
    readers_python: Path, images: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Path, str], Path]:
    """Gives a model and the images to a reader; returns the file that it wrote."""
    place = tmp_path_factory.mktemp("readers")
    pixels = place / "pixels.npy"
    np.save(pixels, np.stack([np.asarray(Image.open(image).convert("RGB")) for image in images]))

    def run(reader: str, model: Path, target: str) -> Path:
        done = subprocess.run(
            [readers_python, CLIENT, reader, model, pixels, place / target],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return place / target

    return run


@pytest.mark.parametrize(
    ("reader", "kind", "tolerance"),
    [
        ("tract", "onnx-fp32", 1e-4),
        ("tract", "onnx-fp16", 0.02),
        # Where a sum lies half way between two steps, two engines round to different ones.
        ("tract", "onnx-int8", 0.05),
        ("ncnn", "onnx-fp32", 1e-4),
        ("openvino", "tflite-fp32", 1e-4),
        ("openvino", "tflite-fp16", 1e-4),
        ("openvino", "onnx-fp32", 1e-4),
        ("openvino", "onnx-fp16", 0.02),
    ],
)
def test_engine_of_another_maker_gives_our_scores(
    read: Callable[[str, Path, str], Path], file_of: Callable[[str], Path], expected: Callable,
    reader: str, kind: str, tolerance: float,
) -> None:  # fmt: skip
    wanted = expected(kind)
    scores = np.load(read(reader, file_of(kind), f"{reader}-{kind}.npy"))
    assert np.abs(scores - wanted).max() <= tolerance
    assert (scores.argmax(axis=1) == wanted.argmax(axis=1)).all()


def test_tract_refuses_a_stale_shape(
    read: Callable[[str, Path, str], Path], file_of: Callable[[str], Path], tmp_path: Path
) -> None:
    """The test above can fail: this is what the converters leave in a file."""
    proto = onnx.shape_inference.infer_shapes(onnx.load(file_of("onnx-int8")))
    assert proto.graph.value_info
    onnx.save(proto, tmp_path / "stale.onnx")
    with pytest.raises(AssertionError, match="Impossible to unify"):
        read("tract", tmp_path / "stale.onnx", "stale.npy")


def test_litert_quantizer_takes_the_float_file(
    read: Callable[[str, Path, str], Path], file_of: Callable[[str], Path], images: list[Path],
    expected: Callable,
) -> None:  # fmt: skip
    from ai_edge_litert.interpreter import Interpreter

    made = read("quantizer", file_of("tflite-fp32"), "quantized.tflite")
    assert made.stat().st_size < 0.7 * file_of("tflite-fp32").stat().st_size
    runner = Interpreter(str(made)).get_signature_runner()
    taken, given = runner.get_input_details()["image"], runner.get_output_details()["scores"]
    pixels = np.stack([np.asarray(Image.open(image).convert("RGB"), np.float32) for image in images])
    scale, zero = taken["quantization"]
    found = []
    for image in np.clip(np.rint(pixels / scale + zero), -128, 127).astype(taken["dtype"]):
        found.append(runner(image=image[np.newaxis])["scores"][0])
    scale, zero = given["quantization"]
    scores = (np.stack(found).astype(np.float32) - zero) * scale
    assert (scores.argmax(axis=1) == expected("tflite-fp32").argmax(axis=1)).mean() >= 0.9
