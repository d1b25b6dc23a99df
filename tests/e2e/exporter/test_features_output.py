"""The features output on every kind of file that runs on a device, added as an export adds it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from edge_runtime import InputSpec
from edge_runtime.common.progress import no_progress
from edge_runtime.engines import open_engine
from exporter.common.backend import load_keras
from exporter.convert.builder import Builder
from exporter.formats.kinds import KINDS, Kind
from exporter.formats.tflite_metadata import tflite_labels
from tests.e2e.exporter.conftest import LABELS, ON_DEVICES, SIDE
from tests.e2e.exporter.test_mediapipe import KINDS_OF_TFLITE, Ask, ask

__all__ = ["ask"]

pytestmark = pytest.mark.slow

EXTENDED = tuple(kind for kind in ON_DEVICES if kind != "onnx-fp16")
Extended = tuple[Builder, dict[str, str]]


@pytest.fixture(scope="module")
def extended(file_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Extended:
    """The files with a features output, and why one has none."""
    folder = tmp_path_factory.mktemp("features")
    model = cast(Any, SimpleNamespace(input=InputSpec(SIDE, SIDE)))
    builder = Builder(model, "pictures", LABELS, lambda: np.empty(0, np.uint8), folder, no_progress)
    for kind in ON_DEVICES:
        builder.files[KINDS[kind]] = Path(shutil.copy(file_of(kind), folder))
    header = KINDS["c-array"]
    builder.files[header] = folder / "pictures_int8.h"
    return builder, builder.add_features((*(KINDS[kind] for kind in ON_DEVICES), header))


def test_only_files_for_other_places_have_no_features(extended: Extended) -> None:
    builder, refused = extended
    assert refused.pop("c-array") == "c-array artifacts have no features output"
    assert "whose scores would change" in refused.pop("onnx-fp16")
    assert not refused
    for kind in EXTENDED:
        (features,) = builder.entries[KINDS[kind]].outputs
        assert (features.name, features.dtype, features.shape[1]) == ("features", "float32", 32)
        assert builder.entries[KINDS[kind]].output.name == "scores"


@pytest.mark.parametrize("kind", EXTENDED)
def test_scores_are_as_before_and_features_those_of_the_full_model(
    extended: Extended, bundle: Path, images: list[Path], expected: Callable[[str], np.ndarray], kind: str
) -> None:
    row: Kind = KINDS[kind]
    engine = open_engine(extended[0].files[row], row.format, kind)
    pixels = np.stack([np.asarray(Image.open(image)) for image in images])
    found = [engine.run_with(image, "features") for image in pixels]
    assert (np.stack([scores for scores, _ in found]) == expected(kind)).all()
    keras = load_keras()
    model = keras.models.load_model(bundle.parent / "pictures.keras")
    wanted = keras.Model(model.input, model.layers[-1].input).predict(pixels.astype(np.float32), verbose=0)
    features = np.stack([extra for _, extra in found])
    if row.exact:
        np.testing.assert_allclose(features, wanted, atol=1e-3, rtol=1e-3)
    assert np.corrcoef(features.ravel(), wanted.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("kind", KINDS_OF_TFLITE)
def test_mediapipe_opens_the_file_and_gives_our_labels_and_scores(
    ask: Ask, extended: Extended, images: list[Path], expected: Callable[[str], np.ndarray], kind: str
) -> None:
    file = extended[0].files[KINDS[kind]]
    assert tflite_labels(file.read_bytes()) == LABELS
    for answer, scores in zip(ask(file, *images), expected(kind), strict=True):
        got = dict(answer)
        assert answer[0][0] == LABELS[int(scores.argmax())]
        assert np.abs([got[label] for label in LABELS] - scores).max() <= 1e-3
