"""Images are read, decoded and scored as far as the slowest artifact takes, on real interpreters."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import Bundle
from edge_runtime.common.errors import DataError
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.dataset import ImageSet, Item, open_dataset
from edge_runtime.engines import Engine, open_engine
from exporter.judge.judge_artifacts import Judgement
from exporter.judge.verdict import CheckReport
from exporter.reference.usage_check import ReferenceUse
from exporter.sequential.one_by_one import BLOCK, judge_one_by_one
from exporter.sequential.seeded_order import in_seeded_order
from exporter.source.candidate import Candidate
from exporter.source.images import GrowingTable

MARGIN = 0.05


class Counting:
    """An engine that counts its runs, and names the next class on every fifth image if told to."""

    def __init__(self, engine: Engine, shift: float = 0.0, worse: bool = False) -> None:
        self._engine, self._shift, self._worse = engine, shift, worse
        self.name, self.input, self.output = engine.name, engine.input, engine.output
        self.runs = 0

    def run(self, pixels: np.ndarray) -> np.ndarray:
        self.runs += 1
        scores = self._engine.run(pixels) + np.float32(self._shift)
        return np.roll(scores, 1) if self._worse and self.runs % 5 == 0 else scores

    def close(self) -> None:
        self._engine.close()


class Check:
    """One check of the digits model against itself, with what it read."""

    def __init__(self, bundle: Path, images: ImageSet, **ways: dict[str, object]) -> None:
        path = bundle / "digits_fp32.tflite"
        self.read: list[str] = []
        self.scored = 0
        # The float file stands in for the full model: nothing here loads TensorFlow.
        full = open_engine(path, "tflite", "full")

        def scorer(pixels: np.ndarray, progress: Progress = no_progress, step: str = "") -> np.ndarray:
            self.scored += len(pixels)
            return np.array([full.run(np.asarray(image)) for image in pixels]).reshape(len(pixels), 10)

        def reader(item: Item) -> object:
            self.read.append(item.ref)
            return images.reader(item)

        self.engines = {
            name: Counting(open_engine(path, "tflite", name), **way) for name, way in ways.items()
        }  # type: ignore[arg-type]
        candidates = [
            Candidate(
                name, path, "tflite", name == "float", 1, lambda threads, exact, name=name: self.engines[name]
            )  # type: ignore[misc]
            for name in ways
        ]
        shuffled = replace(in_seeded_order(images, 0), reader=reader)  # type: ignore[arg-type]
        with closing(GrowingTable(shuffled, Bundle.open(bundle).manifest.input)) as growing:
            self.found: Judgement = judge_one_by_one(
                candidates, scorer, growing, ReferenceUse("full", "Train it"), file="full", sha256="0" * 64,
                margin=MARGIN, threads=1, missing_classes="error", weak_reference="error",
            )  # type: ignore[arg-type]  # fmt: skip

    @property
    def report(self) -> CheckReport:
        return self.found.report


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return open_dataset("digits").only("val")


def test_artifacts_stop_one_by_one_and_no_image_is_read_in_vain(
    digits_bundle: Path, digits: ImageSet
) -> None:
    check = Check(digits_bundle, digits, float={}, worse={"worse": True})
    good, bad = check.report.artifacts["float"], check.report.artifacts["worse"]
    assert (good.verdict, bad.verdict, check.report.verdict) == ("pass", "fail", "fail")
    assert good.stop is not None
    assert bad.stop is not None
    # Nothing is lost: the first image at which a drop of 5 points is excluded.
    assert good.stop.images == 90 == check.report.n == len(check.found.scores["float"])
    assert bad.stop.images < good.stop.images
    assert bad.lost == bad.stop.lost == bad.stop.images // 5
    assert good.lost == 0
    assert (good.bound > -MARGIN, bad.upper < -MARGIN) == (True, True)
    # Runs beyond those counted here measure the latency.
    assert check.scored == 96 <= good.stop.images + BLOCK
    assert len(check.read) < 200 < len(digits)
    assert check.report.parity is check.report.pareto is None
    assert check.report.classes == ()


def test_float_export_that_differs_fails_at_the_first_image(digits_bundle: Path, digits: ImageSet) -> None:
    check = Check(digits_bundle, digits, float={"shift": 0.001})
    found = check.report.artifacts["float"]
    assert found.verdict == "fail"
    assert "must equal" in found.reason
    assert check.report.n == 1


def test_too_few_images_are_inconclusive_and_all_are_seen(digits_bundle: Path, digits: ImageSet) -> None:
    few = replace(digits, items=in_seeded_order(digits, 1).items[:85])
    check = Check(digits_bundle, few, other={})
    found = check.report.artifacts["other"]
    assert (found.verdict, found.images_needed, check.report.n, check.scored) == ("inconclusive", 91, 85, 85)


def test_missing_classes_are_refused_before_anything_is_read(digits_bundle: Path, digits: ImageSet) -> None:
    kept = tuple(item for item in digits.items if item.label != 4)
    with pytest.raises(DataError, match="'4'"):
        Check(digits_bundle, replace(digits, items=kept), other={})


def test_full_model_at_chance_is_refused_after_all_images(digits_bundle: Path, digits: ImageSet) -> None:
    turned = replace(digits, items=tuple(replace(item, label=(item.label + 1) % 10) for item in digits.items))
    with pytest.raises(DataError, match="on 385 images"):
        Check(digits_bundle, turned, other={})
