from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from edge_runtime.bundle.strict_json import encode_json
from edge_runtime.common.errors import DataError, UsageError
from edge_runtime.statistics.exact_bound import lower_bound
from exporter.judge.verdict import ArtifactReport, CheckReport, ReferenceReport
from exporter.statistics.comparison import EXACT_DP, compare
from exporter.statistics.gate import check_margin, decide, images_needed, overall, paired_interval

LABELS = ("a", "b", "c")


def scores(best: list[int], top: float = 0.9) -> np.ndarray:
    table = np.full((len(best), len(LABELS)), (1 - top) / 2, dtype=np.float32)
    table[np.arange(len(best)), best] = top
    return table


def test_interval_is_the_exact_bound_on_either_side() -> None:
    assert paired_interval(18, 8, 1000) == (lower_bound(18, 8, 1000), -lower_bound(8, 18, 1000))
    assert paired_interval(20, 0, 20)[0] == -1.0
    assert paired_interval(0, 20, 20)[1] == 1.0
    # Where nothing is lost or won the interval is the same on either side.
    low, high = paired_interval(0, 0, 149)
    assert low == -high == pytest.approx(-0.0199, abs=1e-4)


@pytest.mark.parametrize(
    ("lost", "won", "n", "verdict"),
    [
        (0, 0, 400, "pass"),
        (0, 0, 20, "inconclusive"),
        (0, 0, 80, "inconclusive"),
        (0, 0, 148, "inconclusive"),
        (0, 0, 149, "pass"),
        (12, 4, 400, "inconclusive"),
        (60, 0, 400, "fail"),
        (0, 60, 400, "pass"),
    ],
)
def test_verdict(lost: int, won: int, n: int, verdict: str) -> None:
    assert decide(lost, won, n, 0.02) == verdict


def test_images_needed_decide() -> None:
    assert images_needed(0, 0, 20, 0.02) == 149
    # The same rates, so many images more: it passes, and well before it does not.
    needed = images_needed(3, 2, 100, 0.02)
    assert needed is not None
    assert decide(round(0.03 * needed), round(0.02 * needed), needed, 0.02) == "pass"
    assert decide(round(0.024 * needed), round(0.016 * needed), round(0.8 * needed), 0.02) == "inconclusive"
    failed = images_needed(6, 1, 100, 0.02)
    assert failed is not None
    assert decide(round(0.06 * failed), round(0.01 * failed), failed, 0.02) == "fail"


def test_images_needed_are_more_than_there_are_where_these_do_not_decide() -> None:
    for lost in range(12):
        if decide(lost, 2, 200, 0.02) == "inconclusive":
            needed = images_needed(lost, 2, 200, 0.02)
            assert needed is None or needed > 200


def test_images_needed_is_none_where_the_drop_is_the_margin() -> None:
    assert images_needed(12, 4, 400, 0.02) is None


def test_images_needed_of_a_decided_case_is_its_own() -> None:
    assert images_needed(0, 0, 400, 0.02) == 400


def test_comparison_counts_both_directions() -> None:
    truth = np.array([0, 1, 2, 0], dtype=np.int64)
    found = compare(scores([0, 1, 0, 1]), scores([0, 2, 2, 1]), truth, LABELS, margin=0.02)
    assert (found.lost, found.won) == (1, 1)
    assert found.delta == 0.0
    assert found.top1 == 0.5
    assert found.agreement == 0.5
    assert found.worst_class.label == "b"
    assert found.worst_class.delta == -1.0
    assert found.max_abs_dp == pytest.approx(0.85)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from([0.005, 0.01, 0.02, 0.05]))
def test_verdict_in_check_json_follows_from_its_numbers(data: st.DataObject, margin: float) -> None:
    n = data.draw(st.integers(1, 700))
    lost = data.draw(st.integers(0, min(n, 40)) | st.integers(0, n))
    won = data.draw(st.integers(0, min(n - lost, 40)))
    # The full model is right but for the images that the artifact wins.
    truth = np.zeros(n, dtype=np.int64)
    before, after = [0] * n, [0] * n
    for row in range(n):
        before[row] = 1 if row < won else 0
        after[row] = 1 if won <= row < won + lost else 0
    found = compare(scores(before), scores(after), truth, LABELS, margin=margin)
    artifact = ArtifactReport(**asdict(found), bytes=1000, latency_ms=1.0, engine="litert")
    reference = ReferenceReport("model.keras", 0.9, 0.02, "1" * 64)
    report = CheckReport(found.verdict, margin, n, "made", "0" * 64, reference, {"tflite-int8": artifact})
    written = json.loads(encode_json(report))
    read = written["artifacts"]["tflite-int8"]
    assert (read["lost"], read["won"]) == (lost, won)
    assert (read["bound"] > -written["margin"]) == (read["verdict"] == "pass")
    assert (read["upper"] < -written["margin"]) == (read["verdict"] == "fail")
    assert read["bound"] <= read["delta"] <= read["upper"]
    assert (read["images_needed"] is None) or read["verdict"] == "inconclusive"
    # A wider margin never turns a pass into less, nor makes a failure of what was none.
    order = ("fail", "inconclusive", "pass")
    verdicts = [order.index(decide(lost, won, n, wider)) for wider in (0.005, 0.01, 0.02, 0.05, 0.2)]
    assert verdicts == sorted(verdicts)


def test_float_export_must_be_equal() -> None:
    truth = np.zeros(200, dtype=np.int64)
    reference = scores([0] * 200)
    moved = reference.copy()
    moved[7, 0] -= 3 * EXACT_DP
    assert compare(reference, moved, truth, LABELS, exact=False).verdict == "pass"
    assert compare(reference, moved, truth, LABELS, exact=True).verdict == "fail"
    moved[7, 0] = reference[7, 0] - 0.5 * EXACT_DP
    assert compare(reference, moved, truth, LABELS, exact=True).verdict == "pass"


@pytest.mark.parametrize("exact", [False, True])
def test_scores_that_are_no_numbers_fail(exact: bool) -> None:
    truth = np.zeros(200, dtype=np.int64)
    broken = scores([0] * 200)
    broken[3] = np.nan
    found = compare(scores([0] * 200), broken, truth, LABELS, exact=exact)
    assert found.verdict == "fail"
    # JSON knows no NaN.
    assert all(math.isfinite(value) for value in (found.kl, found.max_abs_dp, found.ece, found.top1))


def test_other_shapes_are_an_error() -> None:
    truth = np.zeros(3, dtype=np.int64)
    for reference, candidate in ((scores([0]), scores([0])), (scores([0] * 3), scores([0] * 2))):
        with pytest.raises(DataError, match="same labelled images"):
            compare(reference, candidate, truth, LABELS)


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1, float("nan")])
def test_margin_out_of_range_is_an_error(margin: float) -> None:
    with pytest.raises(UsageError, match="margin"):
        check_margin(margin)


def test_overall_is_the_worst() -> None:
    assert overall(["pass", "inconclusive", "pass"]) == "inconclusive"
    assert overall(["inconclusive", "fail"]) == "fail"
    assert overall(["pass"]) == "pass"
