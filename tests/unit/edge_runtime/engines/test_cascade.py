"""Two engines as one: who answers, and what is counted."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.bundle.manifest import TensorSpec
from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines.cascade import CascadeEngine
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array

IMAGE = np.zeros((2, 2, 1), dtype=np.uint8)
FEATURES = TensorSpec("features", "float32", (1, 4))


class Fixed:
    """Gives the same scores for every image."""

    name = "fixed"
    input = TensorSpec("image", "float32", (1, 2, 2, 1))
    output = TensorSpec("scores", "float32", (1, 3))
    outputs = (FEATURES,)

    def __init__(self, *scores: float) -> None:
        self.scores = np.array(scores, dtype=np.float32)
        self.runs, self.closed = 0, False

    def run(self, pixels: UInt8Array) -> Float32Array:
        self.runs += 1
        return self.scores

    def run_with(self, pixels: UInt8Array, output: str) -> tuple[Float32Array, Float32Array]:
        assert output == "features"
        return self.run(pixels), np.full(4, self.scores[0])

    def close(self) -> None:
        self.closed = True


def test_the_first_answers_at_the_threshold_and_the_second_below_it() -> None:
    second = Fixed(0.1, 0.1, 0.8)
    # As float32 scores, whose margin is not that of the decimal numbers.
    margin = float(np.float32(0.6)) - float(np.float32(0.3))
    at, below = (CascadeEngine(Fixed(0.6, 0.3, 0.1), second, x) for x in (margin, np.nextafter(margin, 1.0)))
    assert at.run(IMAGE).argmax() == 0
    assert (at.seen, at.passed_on, second.runs) == (1, 0, 0)
    assert below.run(IMAGE).argmax() == 2
    assert (below.seen, below.passed_on, second.runs) == (1, 1, 1)


@pytest.mark.parametrize(("margin", "passed"), [(0.0, 0), (1.0, 1)])
def test_margins_of_all_and_nothing(margin: float, passed: int) -> None:
    engine = CascadeEngine(Fixed(0.5, 0.5, 0.0), Fixed(0.0, 0.0, 1.0), margin)
    engine.run(IMAGE)
    assert engine.passed_on == passed


def test_extra_output_is_that_of_the_first_whoever_answers() -> None:
    first, second = Fixed(0.4, 0.3, 0.3), Fixed(0.0, 1.0, 0.0)
    engine = CascadeEngine(first, second, 0.5)
    scores, features = engine.run_with(IMAGE, "features")
    assert engine.outputs == (FEATURES,)
    assert scores.argmax() == 1
    assert features.tolist() == [np.float32(0.4)] * 4
    # One inference of each.
    assert (first.runs, second.runs) == (1, 1)


def test_scores_that_are_no_numbers_are_not_passed_on() -> None:
    second = Fixed(0.0, 1.0, 0.0)
    with pytest.raises(ModelFileError, match="finite"):
        CascadeEngine(Fixed(np.nan, 0.5, 0.5), second, 0.5).run(IMAGE)
    assert not second.runs


def test_close_releases_both() -> None:
    first, second = Fixed(1.0, 0.0, 0.0), Fixed(1.0, 0.0, 0.0)
    CascadeEngine(first, second, 0.5).close()
    assert first.closed
    assert second.closed
