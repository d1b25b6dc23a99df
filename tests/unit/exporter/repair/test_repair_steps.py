"""The repair's rules, on a graph whose files say how they were made instead of computing."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from edge_runtime.bundle.manifest import Format
from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.quantize.graph import LinearLayer, OpError, QuantGraph, Ranges, on_grid
from exporter.repair.equalization import unequal_pairs
from exporter.repair.repair_steps import (
    BASELINE,
    BIAS,
    EQUALIZATION,
    MIXED_PRECISION,
    TUNING,
    UNSIGNED,
    Goal,
    Repaired,
    StepUnavailable,
    repair,
)
from exporter.statistics.comparison import Comparison, compare

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
    narrow: bool = False

    def rounded(self, layer: LinearLayer) -> Float32Array:
        return on_grid(layer.weights)

    def widened(self) -> QuantGraph:
        return replace(self, narrow=False)

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
            "floats": len(float_ops),
            "unequal": bool(unequal_pairs(self.both)),
            "tuned": self.tuned,
            "narrow": self.narrow,
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
    return structs.replace(compare(full, small, truth, LABELS, margin=0.02), kl=kl)


class Judge:
    """Says how good a recorded file is."""

    def __init__(self, **kl: float) -> None:
        self.kl, self.wrong = kl, 8
        self.calls: list[str] = []

    def __call__(self, data: bytes, format: Format, name: str) -> Comparison:
        self.calls.append(name)
        done = json.loads(data)
        kl = 1.0 + self.kl.get("bias", 0.0) * done["bias"] + self.kl.get("floats", 0.0) * done["floats"]
        kl += self.kl.get("tuned", 0.0) * done["tuned"] + self.kl.get("wide", 0.0) * (not done["narrow"])
        wrong = self.wrong if not done["unequal"] else 390
        return judged(0 if kl <= 0.5 else wrong, kl + 1.0 * done["unequal"])


def repaired(
    of: Recorded,
    judge: Judge,
    *,
    tuned: Recorded | None = None,
    always_tune: bool = False,
) -> Repaired:
    tune = None if tuned is None else lambda: tuned
    goal = Goal(margin=0.02, agreement=0.99, always_tune=always_tune)
    return repair(of, judge, calibration_pixels=IMAGES, goal=goal, fine_tune=tune)  # type: ignore[arg-type]


def kept(result: Repaired) -> dict[str, bool]:
    return {step.name: step.kept for step in result.steps}


def test_repair_stops_at_the_first_step_that_passes() -> None:
    result = repaired(graph(errors=5), Judge(bias=-0.6))
    assert kept(result) == {BASELINE: True, BIAS: True}
    assert [step.passed for step in result.steps] == [False, True]
    assert json.loads(result.data)["bias"] is True


def test_repair_gives_narrow_weights_all_their_bits_first_and_corrects_biases_once() -> None:
    result = repaired(replace(graph(errors=5), narrow=True), Judge(wide=-0.6))
    assert kept(result) == {BASELINE: True, UNSIGNED: True}
    assert json.loads(result.data)["narrow"] is False
    # Narrow graphs correct their own biases, and so does the step.
    result = repaired(replace(graph(errors=5), narrow=True), Judge(wide=-0.1, floats=-0.1))
    assert kept(result) == {BASELINE: True, UNSIGNED: False, BIAS: False, MIXED_PRECISION: True}
    assert "already" in result.steps[2].note
    assert json.loads(result.data)["narrow"] is True


def test_repair_tunes_for_the_weights_that_it_kept() -> None:
    judge = Judge(wide=-0.3, tuned=-0.3)
    judge.wrong = 40
    result = repaired(replace(graph(), narrow=True), judge, tuned=replace(graph(tuned=True), narrow=True))
    assert kept(result)[UNSIGNED]
    done = json.loads(result.data)
    assert (done["tuned"], done["narrow"]) == (True, False)


def test_repair_looks_at_nothing_more_when_the_plain_file_passes() -> None:
    judge = Judge()
    judge.wrong = 1
    result = repaired(graph(errors=5), judge)
    assert (kept(result), result.steps[0].passed, judge.calls) == ({BASELINE: True}, True, [BASELINE])


def test_repair_drops_a_step_that_does_not_help() -> None:
    result = repaired(graph(errors=5), Judge(bias=0.1, floats=-0.1))
    assert kept(result)[BIAS] is False
    done = json.loads(result.data)
    assert (done["bias"], done["floats"], done["unequal"], done["tuned"]) == (False, 5, False, False)


def test_repair_adds_up_what_it_keeps() -> None:
    result = repaired(graph(errors=5), Judge(bias=-0.2, floats=-0.1))
    assert kept(result) == {BASELINE: True, BIAS: True, MIXED_PRECISION: True}
    # Bias correction and three operations reach 0.5; five are not tried.
    assert json.loads(result.data)["bias"] is True
    assert json.loads(result.data)["floats"] == 3
    assert result.steps[-1].passed


def test_repair_equalizes_a_collapse_first_and_calibrates_again() -> None:
    result = repaired(graph(planted=True), Judge(bias=-0.6))
    assert [step.name for step in result.steps] == [BASELINE, EQUALIZATION, BIAS]
    assert all(step.kept for step in result.steps)
    assert json.loads(result.data)["unequal"] is False


def test_repair_says_why_it_skips_a_step() -> None:
    result = repaired(graph(), Judge())
    notes = {step.name: step.note for step in result.steps if step.note.startswith("skipped")}
    assert list(notes) == [MIXED_PRECISION, EQUALIZATION, TUNING]
    assert "10 times" in notes[EQUALIZATION]
    assert "cannot" in notes[TUNING]


@pytest.mark.parametrize("able", [True, False])
def test_repair_fine_tunes_what_still_fails(able: bool) -> None:
    judge = Judge(tuned=-0.6)
    judge.wrong = 40
    result = repaired(graph(), judge, tuned=graph(tuned=True) if able else None)
    assert kept(result)[TUNING] is able
    assert result.steps[-1].passed is able
    assert json.loads(result.data)["tuned"] is able
    assert able or "cannot" in result.steps[-1].note


def test_repair_goes_on_without_fine_tuning_where_the_model_cannot_be_tuned() -> None:
    def refuses() -> Recorded:
        raise StepUnavailable("a SavedModel has no layers to tune")

    result = repair(
        graph(),
        Judge(),
        calibration_pixels=IMAGES,
        goal=Goal(0.02, 0.99, always_tune=True),
        fine_tune=refuses,  # type: ignore[arg-type]
    )
    assert "SavedModel" in result.steps[-1].note


@pytest.mark.parametrize(
    ("changes", "reached"),
    [
        ({}, True),
        ({"verdict": "inconclusive"}, True),
        ({"verdict": "fail"}, False),
        ({"agreement": 0.989}, False),
        ({"delta": -0.01}, True),
        ({"delta": -0.0101}, False),
    ],
)
def test_goal_asks_for_no_failed_gate_enough_agreement_and_half_the_margin(
    changes: dict[str, Any], reached: bool
) -> None:
    result = structs.replace(judged(0, 0.001), **changes)
    assert Goal(margin=0.02, agreement=0.99).reached(result) is reached


def test_goal_without_labels_asks_for_agreement_alone() -> None:
    goal = Goal(margin=0.02, agreement=0.9, labelled=False)
    # Other answers than the full model's all count as lost.
    other = judged(30, 0.1)
    assert (other.verdict, other.agreement) == ("fail", 0.925)
    assert goal.reached(other)
    few = structs.replace(other, agreement=0.85)
    assert not goal.reached(few)
    assert not goal.worth_minutes(few)
    assert goal.worth_minutes(structs.replace(other, agreement=0.4))
    assert goal.helps(few, structs.replace(few, kl=1.0))


def test_repair_repairs_a_drop_of_more_than_half_the_margin_that_agrees_enough() -> None:
    judge = Judge(bias=-0.6)
    judge.wrong = 5
    of, goal = graph(), Goal(margin=0.02, agreement=0.95)
    result = repair(of, judge, calibration_pixels=IMAGES, goal=goal, fine_tune=None)  # type: ignore[arg-type]
    assert result.steps[0].delta == -0.0125
    assert kept(result) == {BASELINE: True, BIAS: True}


def test_repair_keeps_nothing_for_a_little_of_the_kl() -> None:
    # Float operations always take a little, and the file grows.
    result = repaired(graph(errors=5), Judge(floats=-0.03))
    assert kept(result)[MIXED_PRECISION] is False
    assert kept(repaired(graph(errors=5), Judge(floats=-0.04)))[MIXED_PRECISION] is True


@pytest.mark.parametrize(
    ("new", "old", "helped"),
    [
        ({"kl": 0.5}, {}, True),
        ({"kl": 0.9}, {}, False),
        ({"kl": 0.5, "agreement": 0.96}, {}, False),
        # Less agreement than before is no loss where what is reached is enough.
        ({"kl": 0.5, "agreement": 0.99, "delta": 0.0}, {"agreement": 0.995, "delta": -0.015}, True),
        ({"kl": 2.0, "verdict": "inconclusive"}, {"verdict": "fail"}, True),
        ({"kl": 0.1, "verdict": "fail"}, {"verdict": "inconclusive"}, False),
        # Among these, chance has the larger part: the KL decides.
        ({"kl": 0.1, "verdict": "inconclusive"}, {"verdict": "pass"}, True),
    ],
)
def test_remedy_is_kept_if_it_helps(new: dict[str, Any], old: dict[str, Any], helped: bool) -> None:
    start = structs.replace(judged(10, 1.0), agreement=0.97)
    goal = Goal(margin=0.02, agreement=0.99)
    assert goal.helps(structs.replace(start, **new), structs.replace(start, **old)) is helped


def test_repair_fine_tunes_what_only_disagrees_where_that_is_asked() -> None:
    for always in (False, True):
        result = repaired(graph(), Judge(tuned=-0.6), tuned=graph(tuned=True), always_tune=always)
        assert kept(result)[TUNING] is always
        assert always or "--repair full" in result.steps[-1].note


def test_repair_goes_on_after_a_step_that_the_quantizer_refuses() -> None:
    @dataclass(frozen=True)
    class Refusing(Recorded):
        def input_means(self, pixels: UInt8Array) -> dict[str, Float32Array]:
            raise ModelFileError("A model must quantize. Received: no. Leave it out.")

    of = Refusing(graph().both, (OpError("op", 9.0),))
    result = repaired(of, Judge(floats=-0.6))
    assert kept(result) == {BASELINE: True, BIAS: False, MIXED_PRECISION: True}
    assert "Received: no" in result.steps[1].note


def test_repair_quantizes_no_second_time_what_is_quantized() -> None:
    judge, of = Judge(bias=-0.6), graph().calibrated(IMAGES)
    plain = of.quantized() + b" "
    goal = Goal(margin=0.02, agreement=0.99)
    seen: list[bytes] = []

    def look(data: bytes, format: Format, name: str) -> Comparison:
        seen.append(data)
        return judge(data, format, name)

    repair(of, look, calibration_pixels=IMAGES, goal=goal, fine_tune=None, plain=plain)
    assert seen[0] is plain


def test_repair_gives_layers_that_stay_float_their_biases_back() -> None:
    of = replace(graph(), errors=(OpError("w", 9.0), OpError("r", 8.0)))
    result = repaired(of, Judge(bias=-0.2, floats=-0.3))
    assert kept(result)[BIAS]
    # Both layers stay in float, so that no bias is left to correct.
    assert json.loads(result.data)["floats"] == 2
    assert json.loads(result.data)["bias"] is False
