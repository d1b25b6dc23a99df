"""The plain resize is TensorFlow's without antialiasing, within one level, and so that of Keras' own loaders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_runtime.image import resize_and_crop
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import pixels
from edge_runtime.image.resize_and_crop import Part, by_picture
from exporter.common.backend import load_keras, load_tensorflow

SIDES = (1, 2, 3, 7, 16, 33, 100, 223, 224, 225, 299, 375, 500, 640, 1024, 3000)


def by_tensorflow(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    found = load_tensorflow().image.resize(array, (size[1], size[0]), method="bilinear", antialias=False)
    return np.rint(found.numpy())


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "numpy"])
def test_within_one_level_of_tensorflow(mode: str, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not compiled:
        monkeypatch.setattr(resize_and_crop, "usable", lambda: False)
    rng, differ = np.random.default_rng(7), 0
    for trial in range(150):
        width, height = (int(side) for side in rng.choice(SIDES, 2))
        to = tuple(int(side) for side in rng.choice(SIDES[:11], 2))
        depth = 3 if mode == "RGB" else 1
        array = rng.integers(0, 256, (height, width, depth), np.uint8)
        if trial % 3 == 0:
            array = np.where(array > 127, 255, 0).astype(np.uint8)
        part: Part = (0, 0, width, height)
        if trial % 2:
            left, top = int(rng.integers(width)), int(rng.integers(height))
            part = (left, top, int(rng.integers(left, width)) + 1, int(rng.integers(top, height)) + 1)
        picture = Image.fromarray(array if depth == 3 else array[..., 0])
        found = by_picture(picture, to, part).reshape(to[1], to[0], depth)
        expected = by_tensorflow(array[part[1] : part[3], part[0] : part[2]], to)
        assert np.abs(found - expected).max() <= 1, (array.shape, part, to)
        differ += int((found != expected).sum())
    # Ties alone: half a level is rounded up here, and to the even one there.
    assert differ > 0


@pytest.mark.parametrize("crop", [False, True], ids=["stretch", "crop"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_images_are_those_of_keras_own_loader(crop: bool, mode: str, tmp_path: Path) -> None:
    keras: Any = load_keras()
    rng = np.random.default_rng(1)
    for at, (width, height) in enumerate([(500, 375), (333, 500), (64, 48), (48, 64), (700, 201), (31, 9)]):
        (tmp_path / "ab"[at % 2]).mkdir(exist_ok=True)
        shape = (height, width, 3) if mode == "RGB" else (height, width)
        # Without loss: TensorFlow's JPEG decoder is another one.
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(tmp_path / "ab"[at % 2] / f"{at}.png")
    for size in ((224, 224), (48, 64), (160, 96)):
        loaded = keras.utils.image_dataset_from_directory(
            tmp_path, image_size=size, shuffle=False, batch_size=1, crop_to_aspect_ratio=crop, verbose=False,
            color_mode="rgb" if mode == "RGB" else "grayscale",
        )  # fmt: skip
        spec = InputSpec(*size, 3 if mode == "RGB" else 1, "crop" if crop else "stretch", "plain")
        for path, (image, _) in zip(loaded.file_paths, loaded, strict=True):
            assert np.abs(pixels(path, spec) - np.rint(image[0].numpy())).max() <= 1, (path, size)
