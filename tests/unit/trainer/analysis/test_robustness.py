"""Which images are drawn, and how accuracy on their changed copies is counted."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import numpy as np

from trainer.analysis.robustness import (
    CORRUPTIONS,
    measure_robustness,
    seconds_per_image,
    spread_over_classes,
)
from trainer.evaluation.metrics import ScoredImages
from trainer.progress import Event


def bright_or_dark(count: int = 40) -> ScoredImages:
    """A model that calls an image bright when its mean is over 100."""
    targets = np.arange(count, dtype=np.int64) % 2
    images = np.stack([np.full((16, 16, 1), 160 if target else 40, np.uint8) for target in targets])

    def predict(array: np.ndarray) -> np.ndarray:
        bright = (array.mean(axis=(1, 2, 3)) > 100).astype(np.float32)
        return np.stack([1 - bright, bright], axis=1)

    return ScoredImages(
        labels=("dark", "bright"), refs=tuple(map(str, range(count))), scores=predict(images), targets=targets,
        pixels=lambda place: images[place], predict=predict,
    )  # fmt: skip


def test_draw_is_even_over_classes_and_a_short_class_leaves_its_turns() -> None:
    targets = np.array([0] * 50 + [1] * 3 + [2] * 50)
    chosen = spread_over_classes(targets, 23)
    assert Counter(targets[chosen].tolist()) == {0: 10, 1: 3, 2: 10}
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert chosen.tolist() == spread_over_classes(targets, 23).tolist()


def test_draw_of_more_than_there_are_is_all() -> None:
    assert spread_over_classes(np.array([1, 0, 1]), 10).tolist() == [0, 1, 2]


def test_share_right_is_that_of_the_changed_images() -> None:
    found = measure_robustness(bright_or_dark(), images=30)
    assert (found.images, found.clean, found.severities) == (30, 1.0, (1, 2, 3, 4, 5))
    curves = {curve.family: curve.top1 for curve in found.curves}
    assert list(curves) == [family.name for family in CORRUPTIONS]
    # 160 x 0.8 is still over 100, 160 x 0.6 is not; 40 x 2.4 is not over 100, 40 x 3 is.
    assert curves["darker"] == (1.0, 0.5, 0.5, 0.5, 0.5)
    assert curves["brighter"] == (1.0, 1.0, 1.0, 1.0, 0.5)
    assert curves["blur"] == curves["rotation"] == curves["shift"] == (1.0,) * 5
    amounts = {curve.family: curve.amounts for curve in found.curves}
    assert amounts["JPEG"][4] == "quality 6"
    assert amounts["shift"][0] == "3% of the side"


def test_only_the_severities_asked_for_are_measured_and_told() -> None:
    events: list[Event] = []
    found = measure_robustness(bright_or_dark(), images=4, severities=(2, 4), progress=events.append)
    assert [len(curve.top1) for curve in found.curves] == [2] * len(CORRUPTIONS)
    assert (events[-1].done, events[-1].total) == (14 * 4, 14 * 4)
    assert found.to_dict()["curves"][1]["top1"] == (0.5, 0.5)


def test_last_batch_is_filled_up_for_a_keras_model_only() -> None:
    sizes: list[int] = []
    plain = bright_or_dark()

    def watched(array: np.ndarray) -> np.ndarray:
        sizes.append(len(array))
        return plain.predict(array)

    for model, last in ((object(), 64), (None, 7 * 10 % 64)):
        sizes.clear()
        found = measure_robustness(replace(plain, predict=watched, model=model), images=10, severities=(3,))
        assert sizes == [64, last]
        assert found.curves == measure_robustness(plain, images=10, severities=(3,)).curves


def test_seconds_per_image_counts_every_family() -> None:
    plain = bright_or_dark()

    def slow(array: np.ndarray) -> np.ndarray:
        time.sleep(0.2)
        return plain.predict(array)

    # 0.2 s for 40 images, seven times; how fast the changes are is not known.
    assert seconds_per_image(replace(plain, predict=slow)) >= len(CORRUPTIONS) * 0.2 / 40
