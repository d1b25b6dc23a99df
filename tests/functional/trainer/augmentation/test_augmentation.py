"""Augmentation layers: what each does, that it is drawn by the seed, and that inference has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainer.augmentation import AUGMENTATIONS, image_layer, target_layer
from trainer.augmentation.choices import MIXING

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (6, 24, 32, 3), dtype=np.uint8)
SINGLE = sorted(set(AUGMENTATIONS) - MIXING)


def changed(names: tuple[str, ...], seed: int = 1, images: Any = IMAGES) -> Any:
    return np.asarray(image_layer(names, seed)(images, training=True))


@pytest.mark.parametrize("name", SINGLE)
def test_image_layer_changes_training_images_alone(name: str) -> None:
    images = np.repeat(IMAGES[:1], 6, axis=0)
    result = changed((name,), images=images)
    assert result.dtype == np.float32
    assert result.shape == images.shape
    assert 0.0 <= result.min() <= result.max() <= 255.0
    # Each image of a batch draws its own change.
    assert any(not np.array_equal(result[place], result[0]) for place in range(1, 6))
    np.testing.assert_array_equal(result, changed((name,), images=images))
    assert not np.array_equal(result, changed((name,), seed=2, images=images))
    np.testing.assert_array_equal(np.asarray(image_layer((name,), 1)(images, training=False)), images)


@pytest.mark.parametrize("name", SINGLE)
def test_image_layer_takes_gray_images(name: str) -> None:
    result = changed((name,), images=IMAGES[..., :1])
    assert result.shape == (6, 24, 32, 1)


def test_image_layer_without_names_gives_the_pixels() -> None:
    np.testing.assert_array_equal(changed(()), IMAGES)


def test_always_changes_images_in_inference_too() -> None:
    layer = image_layer(("rotation",), 1, always=True)
    assert not np.array_equal(np.asarray(layer(IMAGES, training=False)), IMAGES)


def test_flip_mirrors_exactly() -> None:
    result = changed(("flip",))
    mirrored = [np.allclose(result[place], IMAGES[place, :, ::-1], atol=0.1) for place in range(6)]
    same = [np.allclose(result[place], IMAGES[place], atol=0.1) for place in range(6)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert any(mirrored)
    assert any(same)


def test_shift_moves_by_at_most_its_share() -> None:
    # A bright column in the middle stays within 8 % of the width, rounded up.
    image = np.zeros((8, 40, 50, 1), np.uint8)
    image[:, :, 25] = 255
    result = changed(("shift",), images=image)
    for moved in result[..., 0]:
        assert abs(int(moved[20].argmax()) - 25) <= 4


def test_brightness_adds_the_same_to_every_pixel() -> None:
    images = np.full((6, 8, 8, 3), 120, np.uint8)
    result = changed(("brightness",), images=images)
    assert np.ptp(result, axis=(1, 2, 3)).max() < 1e-3
    assert 0.0 < np.abs(result - 120.0).max() <= 0.2 * 255 + 1e-3


def test_contrast_keeps_the_mean() -> None:
    images = RANDOM.integers(100, 150, (6, 24, 24, 3), dtype=np.uint8)
    result = changed(("contrast",), images=images)
    np.testing.assert_allclose(result.mean(axis=(1, 2, 3)), images.mean(axis=(1, 2, 3)), atol=0.1)
    assert not np.allclose(result.std(axis=(1, 2, 3)), images.std(axis=(1, 2, 3)), rtol=0.02)


def test_rotation_keeps_the_centre_and_turns_in_pixels_of_a_wide_image() -> None:
    # A disc in the middle of a wide image looks the same after any turn.
    y, x = np.mgrid[0:30, 0:60]
    disc = (((y - 14.5) ** 2 + (x - 29.5) ** 2) < 100).astype(np.uint8)[None, :, :, None] * 200
    result = changed(("rotation",), images=np.repeat(disc, 4, axis=0))
    assert np.abs(result - disc).mean() < 3.0


def targets(names: tuple[str, ...], training: bool = True, **options: Any) -> tuple[Any, Any]:
    layer = target_layer(names, 3, 7, **options)
    images = np.zeros((6, 8, 8, 1), np.float32)
    images[3:] = 100.0
    labels = np.array([0, 0, 0, 2, 2, 2], np.int32)
    made = layer((images, labels), training=training)
    return np.asarray(made[0]), np.asarray(made[1])


def test_targets_are_one_hot_in_inference_whatever_is_chosen() -> None:
    images, made = targets(("mixup", "cutmix"), training=False, smoothing=0.3, class_weights=(1.0, 1.0, 5.0))
    np.testing.assert_array_equal(made, np.eye(3)[[0, 0, 0, 2, 2, 2]])
    assert set(np.unique(images)) == {0.0, 100.0}


def test_smoothing_spreads_a_share_over_all_classes() -> None:
    _, made = targets((), smoothing=0.3)
    np.testing.assert_allclose(made[0], [0.8, 0.1, 0.1], rtol=1e-6)


def test_class_weights_scale_the_targets() -> None:
    _, made = targets((), class_weights=(0.5, 1.0, 4.0))
    np.testing.assert_allclose(made.sum(axis=1), [0.5, 0.5, 0.5, 4.0, 4.0, 4.0])


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixing_mixes_images_and_targets_in_the_same_share(name: str) -> None:
    images, made = targets((name,))
    np.testing.assert_allclose(made.sum(axis=1), 1.0, rtol=1e-5)
    # The brightness of an image tells how much of class 2 is in it.
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)) / 100.0, made[:, 2], atol=1e-5)
    assert ((made[:, 2] > 0.01) & (made[:, 2] < 0.99)).any()


def test_both_mixings_draw_one_a_batch() -> None:
    layer = target_layer(("cutmix", "mixup"), 2, 3)
    images = np.concatenate([np.zeros((4, 8, 8, 1)), np.full((4, 8, 8, 1), 100.0)]).astype(np.float32)
    labels = np.repeat([0, 1], 4).astype(np.int32)
    kinds = set()
    for _ in range(12):
        mixed = np.asarray(layer((images, labels), training=True)[0])
        kinds.add("cutmix" if set(np.unique(mixed)) <= {0.0, 100.0} else "mixup")
    assert kinds == {"cutmix", "mixup"}
