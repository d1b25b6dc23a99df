"""The tiny golden models with names and a signature: the same answers, in every interpreter here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge_runtime.engines import open_engine
from edge_runtime.image.input_spec import InputSpec
from exporter.formats.flatbuffer import name_tensors, packed, parsed
from exporter.formats.tflite_metadata import tflite_labels, with_tflite_metadata

FILES = ("digits_fp32.tflite", "digits_int8.tflite")
LABELS = tuple("0123456789")


@pytest.fixture(params=FILES)
def signed(digits_bundle: Path, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """A golden model, and the same with a signature and metadata, as an export writes it."""
    bare = digits_bundle / request.param
    model = with_tflite_metadata(
        name_tensors(bare.read_bytes()),
        name="digits",
        description="",
        labels=LABELS,
        input=InputSpec(16, 16, 1),
    )
    path = tmp_path / request.param
    path.write_bytes(model)
    return bare, path


def test_signature_gives_the_scores_of_the_file_without_one(signed: tuple[Path, Path]) -> None:
    bare, file = signed
    wanted, engine = open_engine(bare, "tflite", "bare"), open_engine(file, "tflite", "signed")
    interpreter = Interpreter(str(file))
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["image"], "outputs": ["scores"]}
    }
    runner = interpreter.get_signature_runner()
    for pixels in np.random.default_rng(0).integers(0, 256, (5, 16, 16, 1), dtype=np.uint8):
        scores = wanted.run(pixels)
        assert (engine.run(pixels) == scores).all()
        by_signature = runner(image=pixels[np.newaxis].astype(engine.input.dtype))["scores"][0]
        np.testing.assert_allclose(by_signature, scores, atol=1e-6)


def test_signature_stays_beside_the_metadata(signed: tuple[Path, Path]) -> None:
    assert tflite_labels(signed[1].read_bytes()) == LABELS


def test_signature_twice_is_signature_once(digits_bundle: Path) -> None:
    once = name_tensors((digits_bundle / FILES[0]).read_bytes())
    assert name_tensors(once) == once
    assert len(parsed(once).signatureDefs) == 1
    # A signature of before, about other tensors, is replaced.
    other = parsed(once)
    other.signatureDefs[0].inputs[0].name = b"pixels"
    assert name_tensors(packed(other)) == once
