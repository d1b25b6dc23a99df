"""The ladder's rules, on a graph whose files say how they were made instead of computing."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from edge_runtime.manifest import Format
from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from exporter.gate import Comparison, compare
from exporter.quantize.graph import LinearLayer, OpError, QuantGraph, Ranges
from exporter.repair.equalise import unequal_pairs
from exporter.repair.ladder import BASELINE, BIAS, EQUALISATION, ISLANDS, TUNING, Goal, Repaired, climb
from exporter.repair.qat import TuningUnavailable

IMAGES = np.zeros((8, 2, 2, 1), np.uint8)
LABELS = ("a", "b")


@dataclass(frozen=True)
class Recorded:
    """Two dense layers; its files are records of what was done to it."""

    both: tuple[LinearLayer, ...]
    errors: tuple[OpError, ...] = ()
    tuned: bool = False
    ranges: Ranges | None = None
    format: Format = "tflite"

    def layers(self) -> tuple[LinearLayer, ...]:
        return self.both

    def with_layers(self, changed: Mapping[str, LinearLayer]) -> QuantGraph:
        same = all(np.array_equal(changed[x.name].weights, x.weights) for x in self.both if x.name in changed)
        both = tuple(changed.get(layer.name, layer) for layer in self.both)
        return replace(self, both=both, ranges=self.ranges if same else None)

    def calibrated(self, pixels: UInt8Array) -> QuantGraph:
        return replace(self, ranges={"x": (0.0, 255.0)})

    def quantized(self, float_ops: Collection[str] = ()) -> bytes:
        assert self.ranges is not None, "weights changed, and nobody calibrated again"
        done = {
            "bias": any(layer.bias is not None and bool(np.any(layer.bias)) for layer in self.both),
            "islands": len(float_ops),
            "unequal": bool(unequal_pairs(self.both)),
            "tuned": self.tuned,
        }
        return json.dumps(done).encode()

    def tensors(self, pixels: UInt8Array) -> Iterator[dict[str, Float32Array]]:
        raise NotImplementedError

    def input_means(self, pixels: UInt8Array) -> dict[str, Float32Array]:
        return {layer.name: np.ones(layer.weights.shape[1], np.float32) for layer in self.both}

    def op_errors(self, pixels: UInt8Array) -> tuple[OpError, ...]:
        return self.errors


def graph(*, planted: bool = False, errors: int = 0, tuned: bool = False) -> Recorded:
    weights = np.random.default_rng(0).uniform(0.5, 1.0, (4, 4)).astype(np.float32)
    scales = np.array([300.0 if planted else 1.0, 1.0, 1.0, 1.0], np.float32)
    writer = LinearLayer("w", "dense", weights * scales[:, np.newaxis], None, "x", "h", readers=("r",))
    reader = LinearLayer("r", "dense", weights / scales, None, "h", "y")
    return Recorded((writer, reader), tuple(OpError(f"op{i}", 9.0 - i) for i in range(errors)), tuned)


def judged(wrong: int, kl: float) -> Comparison:
    """A comparison on 400 images, ``wrong`` of them lost."""
    truth = np.zeros(400, np.int64)
    full = np.tile(np.array([[0.9, 0.1]], np.float32), (400, 1))
    small = full.copy()
    small[:wrong] = [0.1, 0.9]
    return replace(compare(full, small, truth, LABELS, margin=0.02), kl=kl)


class Judge:
    """Says how good a recorded file is."""

    def __init__(self, **kl: float) -> None:
        self.kl, self.wrong = kl, 8
        self.calls: list[str] = []

    def __call__(self, data: bytes, name: str) -> Comparison:
        self.calls.append(name)
        done = json.loads(data)
        kl = 1.0 + self.kl.get("bias", 0.0) * done["bias"] + self.kl.get("islands", 0.0) * done["islands"]
        kl += self.kl.get("tuned", 0.0) * done["tuned"]
        wrong = self.wrong if not done["unequal"] else 390
        return judged(0 if kl <= 0.5 else wrong, kl + 1.0 * done["unequal"])


def climbed(
    of: Recorded,
    judge: Judge,
    *,
    tuned: Recorded | None = None,
    wanting: Callable[[bytes], bool] | None = None,
) -> Repaired:
    tune = None if tuned is None else lambda: tuned
    goal = Goal(margin=0.02, agreement=0.99)
    return climb(of, judge, calibration_pixels=IMAGES, goal=goal, tune=tune, wanting=wanting)  # type: ignore[arg-type]


def kept(result: Repaired) -> dict[str, bool]:
    return {rung.name: rung.kept for rung in result.rungs}


def test_climb_stops_at_the_first_rung_that_passes() -> None:
    result = climbed(graph(errors=5), Judge(bias=-0.6))
    assert kept(result) == {BASELINE: True, BIAS: True}
    assert [rung.passed for rung in result.rungs] == [False, True]
    assert json.loads(result.data)["bias"] is True


def test_climb_looks_at_nothing_more_when_the_plain_file_passes() -> None:
    judge = Judge()
    judge.wrong = 1
    result = climbed(graph(errors=5), judge)
    assert (kept(result), result.rungs[0].passed, judge.calls) == ({BASELINE: True}, True, [BASELINE])


def test_climb_drops_a_rung_that_does_not_help() -> None:
    result = climbed(graph(errors=5), Judge(bias=0.1, islands=-0.1))
    assert kept(result)[BIAS] is False
    assert json.loads(result.data) == {"bias": False, "islands": 5, "unequal": False, "tuned": False}


def test_climb_adds_up_what_it_keeps() -> None:
    result = climbed(graph(errors=5), Judge(bias=-0.2, islands=-0.1))
    assert kept(result) == {BASELINE: True, BIAS: True, ISLANDS: True}
    # Bias correction and three operations reach 0.5; five are not tried.
    assert json.loads(result.data)["bias"] is True
    assert json.loads(result.data)["islands"] == 3
    assert result.rungs[-1].passed


def test_climb_equalises_a_collapse_first_and_calibrates_again() -> None:
    result = climbed(graph(planted=True), Judge(bias=-0.6))
    assert [rung.name for rung in result.rungs] == [BASELINE, EQUALISATION, BIAS]
    assert all(rung.kept for rung in result.rungs)
    assert json.loads(result.data)["unequal"] is False


def test_climb_says_why_it_skips_a_rung() -> None:
    result = climbed(graph(), Judge())
    notes = {rung.name: rung.note for rung in result.rungs if rung.note.startswith("skipped")}
    assert list(notes) == [ISLANDS, EQUALISATION, TUNING]
    assert "10 times" in notes[EQUALISATION]
    assert "minutes" in notes[TUNING]


@pytest.mark.parametrize("able", [True, False])
def test_climb_fine_tunes_what_still_fails(able: bool) -> None:
    judge = Judge(tuned=-0.6)
    judge.wrong = 40
    result = climbed(graph(), judge, tuned=graph(tuned=True) if able else None)
    assert kept(result)[TUNING] is able
    assert result.rungs[-1].passed is able
    assert json.loads(result.data)["tuned"] is able
    assert able or "nobody asked" in result.rungs[-1].note


def test_climb_goes_on_without_fine_tuning_where_the_model_cannot_be_tuned() -> None:
    def refuses() -> Recorded:
        raise TuningUnavailable("a SavedModel has no layers to tune")

    result = climb(
        graph(),
        Judge(),
        calibration_pixels=IMAGES,
        goal=Goal(0.02, 0.99),
        tune=refuses,  # type: ignore[arg-type]
    )
    assert "SavedModel" in result.rungs[-1].note


def test_climb_takes_one_remedy_that_helps_where_other_images_asked_for_it() -> None:
    judge = Judge(bias=-0.2, islands=-0.1)
    judge.wrong = 1
    result = climbed(graph(errors=5), judge, wanting=lambda data: not json.loads(data)["bias"])
    assert kept(result) == {BASELINE: True, BIAS: True}
    assert json.loads(result.data)["bias"] is True


def test_climb_goes_on_while_other_images_ask_for_more() -> None:
    judge = Judge(bias=-0.2, islands=-0.1)
    judge.wrong = 1
    looked: list[bytes] = []

    def never_good(data: bytes) -> bool:
        looked.append(data)
        return True

    result = climbed(graph(errors=5), judge, wanting=never_good)
    assert list(kept(result)) == [BASELINE, BIAS, ISLANDS, EQUALISATION, TUNING]
    # The plain file, the one with other biases, the one with float operations: each once.
    assert len(looked) == 3


def test_climb_gives_layers_that_stay_float_their_biases_back() -> None:
    of = replace(graph(), errors=(OpError("w", 9.0), OpError("r", 8.0)))
    result = climbed(of, Judge(bias=-0.2, islands=-0.3))
    assert kept(result)[BIAS]
    # Both layers stay in float, so that no bias is left to correct.
    assert json.loads(result.data)["islands"] == 2
    assert json.loads(result.data)["bias"] is False
