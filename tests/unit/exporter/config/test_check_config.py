from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edge_runtime.common.errors import UsageError
from edge_runtime.dataset import ImageSet, Item
from exporter.config.check_config import CheckConfig, with_thresholds
from exporter.judge.judge_artifacts import Judgement
from exporter.judge.verdict import CheckReport
from exporter.source.images import PixelTable

N, CLASSES = 400, 4


def hot(best: np.ndarray) -> np.ndarray:
    scores = np.full((len(best), CLASSES), 0.1, dtype=np.float32)
    scores[np.arange(len(best)), best] = 0.7
    return scores


@pytest.fixture
def judged(made_report: Callable[..., CheckReport]) -> Callable[[int], tuple[Judgement, PixelTable]]:
    """A right full model, and an artifact that gets that many of the 100 images of class 2 wrong."""

    def make(wrong: int) -> tuple[Judgement, PixelTable]:
        truth = np.arange(N, dtype=np.int64) % CLASSES
        now = truth.copy()
        now[np.flatnonzero(truth == 2)[:wrong]] = 3
        items = tuple(Item(str(row), int(label), "val", f"{row:064}") for row, label in enumerate(truth))
        images = ImageSet("made", tuple("abcd"), items, lambda item: b"")
        table = PixelTable(np.zeros((N, 2, 2, 1), np.uint8), truth, images)
        report = made_report({"tflite-int8": {"agreement": 1 - wrong / N}, "onnx-fp32": {"agreement": 1.0}})
        found = Judgement(report, hot(truth), {"tflite-int8": hot(now), "onnx-fp32": hot(truth)})
        return found, table

    return make


Made = Callable[[int], tuple[Judgement, PixelTable]]


def test_agreement_below_the_threshold_fails(judged: Made) -> None:
    found, table = judged(8)
    report = with_thresholds(found, table, CheckConfig("some.bundle", agreement=0.985)).report
    assert (report.verdict, report.artifacts["onnx-fp32"].verdict) == ("fail", "pass")
    assert report.artifacts["tflite-int8"].verdict == "fail"
    assert "98.00 %" in report.artifacts["tflite-int8"].reason
    assert with_thresholds(found, table, CheckConfig("some.bundle", agreement=0.98)).report.verdict == "pass"


def test_worst_class_fails_only_where_a_smaller_drop_is_excluded(judged: Made) -> None:
    # 8 of 100 lost: at least 3.93 points (95 %).
    found, table = judged(8)
    failed = with_thresholds(found, table, CheckConfig("some.bundle", worst_class=0.03)).report
    assert failed.verdict == "fail"
    assert "c (at least 3.93)" in failed.artifacts["tflite-int8"].reason
    assert (
        with_thresholds(found, table, CheckConfig("some.bundle", worst_class=0.04)).report.verdict == "pass"
    )


def test_no_thresholds_change_nothing(judged: Made) -> None:
    found, table = judged(50)
    assert with_thresholds(found, table, CheckConfig("some.bundle")) is found


@pytest.mark.parametrize(
    "thresholds", [{"agreement": 1.5}, {"worst_class": 0.0}, {"agreement": float("nan")}]
)
def test_thresholds_must_be_shares(thresholds: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="fraction of 1"):
        CheckConfig("some.bundle", **thresholds)
