"""Ranges, layouts and the difference of logits and scores, without a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.common.errors import ModelFileError, UnknownNameError, UsageError
from exporter.source.external import are_scores
from exporter.source.input_range import check_range, normalisation
from exporter.source.loaded_model import image_of, scores_of

FILE = Path("model.onnx")


@pytest.mark.parametrize(
    ("name", "black", "white"),
    [
        ("0..255", (0, 0, 0), (255, 255, 255)),
        ("0..1", (0, 0, 0), (1, 1, 1)),
        ("-1..1", (-1, -1, -1), (1, 1, 1)),
        # As torchvision's documentation gives them.
        ("imagenet", (-2.1179, -2.0357, -1.8044), (2.2489, 2.4286, 2.6400)),
    ],
)
def test_black_and_white_in_each_range(name: str, black: tuple[float], white: tuple[float]) -> None:
    factor, offset = normalisation(check_range(name), 3)
    assert np.allclose(offset, black, atol=1e-4)
    assert np.allclose(255 * factor + offset, white, atol=1e-4)


def test_imagenet_is_for_colour() -> None:
    with pytest.raises(UsageError, match="three channels"):
        normalisation("imagenet", 1)
    with pytest.raises(UnknownNameError, match=r"0\.\.1, -1\.\.1, imagenet"):
        check_range("0-1")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ([1, 224, 192, 3], (224, 192, 3, False)),
        ([None, 3, 224, 192], (224, 192, 3, True)),
        ([1, 1, 28, 28], (28, 28, 1, True)),
        ([1, 28, 28, 1], (28, 28, 1, False)),
        ([None, None, None, 3], ("any", "any", 3, False)),
        ([1, 3, 3, 3], (3, 3, 3, False)),
    ],
)
def test_axes(shape: list[int | None], expected: tuple[object, ...]) -> None:
    image, first = image_of(FILE, shape)
    assert (image.dtype, *image.shape, first) == ("uint8", 1, *expected)


@pytest.mark.parametrize("shape", [[1, 224, 224], [1, 64, 64, 4], [8, 64, 64, 3], [1, None, None, None], []])
def test_input_that_is_no_image(shape: list[int | None]) -> None:
    with pytest.raises(ModelFileError, match="one image") as caught:
        image_of(FILE, shape)
    assert "\n" not in str(caught.value)


def test_output_of_one_number_per_class() -> None:
    assert scores_of(FILE, ["batch", 5]).shape == (1, 5)
    assert scores_of(FILE, [1, 1, 1, 1001]).shape == (1, 1001)
    for shape in ([1, 1], [1, 7, 7, 5], [1, None], [5]):
        with pytest.raises(ModelFileError, match="one score per class"):
            scores_of(FILE, shape)


def test_logits_are_told_from_scores() -> None:
    logits = np.random.default_rng(0).normal(0, 2, (5, 6)).astype(np.float32)
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert are_scores(scores)
    assert not are_scores(logits)
    # Sigmoids, and logits that happen to sum to 1.
    assert not are_scores(1 / (1 + np.exp(-logits)))
    assert not are_scores(np.array([[3.0, -2.0]], dtype=np.float32))
    # An integer softmax of 1000 classes loses most of them to 0.
    wide = np.zeros((1, 1000), dtype=np.float32)
    wide[0, :3] = 0.3, 0.3, 0.25
    assert are_scores(wide, step=1 / 256)
    assert not are_scores(wide)
