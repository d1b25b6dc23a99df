"""How known an image looks: the formulas written out once more, and damaged parameter files."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from edge_runtime.bundle.rules import KnownRule
from edge_runtime.common.errors import BundleError, ModelFileError
from edge_runtime.rules.known_score import KnownScorer, NearestParameters

RULE = KnownRule("nearest", 0.5, 0.95, output="features", file="rules/tflite-int8_known.bin", sha256="0" * 64)
SIZE, RANK, COUNT = 6, 3, 5


def parameters() -> bytes:
    rng = np.random.default_rng(1)
    directions = np.linalg.qr(rng.normal(size=(SIZE, RANK)))[0].T
    images, scales = rng.normal(size=(COUNT, RANK)), rng.uniform(1, 3, RANK)
    return NearestParameters(rng.normal(size=SIZE) / 9, scales, 4.0, directions, images).encoded()


def plainly(data: bytes, f: list[float]) -> float:
    """As somebody ports it to another language, number by number."""
    magic, _, size, rank, count, rest_scale = struct.unpack_from("<4sIIIIf", data)
    assert magic == b"SNKN"
    at = 24
    mean = struct.unpack_from(f"<{size}f", data, at)
    scales = struct.unpack_from(f"<{rank}f", data, at + 4 * size)
    directions = struct.unpack_from(f"<{rank * size}e", data, at + 4 * size + 4 * rank)
    images = struct.unpack_from(f"<{count * rank}e", data, at + 4 * size + 4 * rank + 2 * rank * size)
    length = math.sqrt(sum(value * value for value in f))
    x = [value / length - middle for value, middle in zip(f, mean, strict=True)]
    y = [sum(directions[j * size + i] * x[i] for i in range(size)) for j in range(rank)]
    rest = max(0.0, sum(value * value for value in x) - sum(value * value for value in y))
    nearest = min(
        sum((y[j] * scales[j] - images[k * rank + j]) ** 2 for j in range(rank)) for k in range(count)
    )
    return struct.unpack("<f", struct.pack("<f", -math.sqrt(nearest + rest * rest_scale)))[0]


def test_nearest_is_the_formula_and_the_layout_of_the_documentation() -> None:
    data = parameters()
    assert len(data) == 24 + 4 * (SIZE + RANK) + 2 * RANK * SIZE + 2 * COUNT * RANK
    scorer = KnownScorer.of(RULE, data)
    for features in np.random.default_rng(2).normal(size=(20, SIZE)).astype(np.float32):
        found = scorer.score(np.ones(1, np.float32), features)
        assert found == pytest.approx(plainly(data, features.tolist()), rel=1e-6)
        assert np.float32(found) == found


def test_entropy_counts_a_score_of_zero_as_nothing() -> None:
    scorer = KnownScorer.of(KnownRule("entropy", -0.5, 0.95), None)
    assert scorer.score(np.array([1, 0, 0], np.float32), None) == 0.0
    assert scorer.score(np.full(4, 0.25, np.float32), None) == np.float32(-math.log(4))


def test_features_that_are_not_finite_reach_no_threshold() -> None:
    scorer = KnownScorer.of(RULE, parameters())
    for value in (np.nan, np.inf):
        features = np.ones(SIZE, np.float32)
        features[2] = value
        assert not scorer.score(np.ones(1, np.float32), features) >= -1e9


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:23],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"PK\x03\x04" + data[4:],
        lambda data: data[:4] + struct.pack("<I", 2) + data[8:],
        lambda data: data[:8] + struct.pack("<III", 0, 0, 0),
        lambda data: data[:8] + struct.pack("<III", 2**32 - 1, 2**32 - 1, 2**32 - 1) + data[20:],
        lambda data: data[:24] + struct.pack("<f", math.nan) + data[28:],
        lambda data: data[:-2] + struct.pack("<e", math.inf),
    ],
)
def test_damaged_parameters_are_refused_in_one_line(damage) -> None:
    with pytest.raises(BundleError, match=r"Received: rules/tflite-int8_known\.bin") as refused:
        KnownScorer.of(RULE, damage(parameters()))
    assert "\n" not in str(refused.value)


def test_a_rule_without_its_file_or_of_a_newer_version_is_refused() -> None:
    with pytest.raises(BundleError, match="needs an output of the model and a file"):
        KnownScorer.of(RULE, None)
    with pytest.raises(BundleError, match="Update snapship"):
        KnownScorer.of(KnownRule("oracle", 0.5, 0.95), None)


def test_features_that_are_all_zero_have_a_score() -> None:
    assert math.isfinite(
        KnownScorer.of(RULE, parameters()).score(np.ones(1, np.float32), np.zeros(SIZE, np.float32))
    )


def test_features_of_another_size_are_refused() -> None:
    scorer = KnownScorer.of(RULE, parameters())
    for features in (None, np.ones(SIZE + 1, np.float32)):
        with pytest.raises(ModelFileError, match=f"made for, {SIZE}"):
            scorer.score(np.ones(1, np.float32), features)
