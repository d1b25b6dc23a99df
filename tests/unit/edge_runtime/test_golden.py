"""A replay names the first stage that differs, and stops at none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import Artifact
from edge_runtime.common.errors import BundleError, EnvironmentMissingError, UnknownNameError
from edge_runtime.engines.result import Float32Array
from edge_runtime.golden import SelfTest, selftest
from edge_runtime.image.preprocess import UInt8Array

BundleMaker = Callable[..., Path]
Edit = Callable[..., None]

pytestmark = pytest.mark.usefixtures("arithmetic")


def replayed(folder: Path, **options: Any) -> SelfTest:
    return selftest(Bundle.open(folder), **options)


def stages(outcome: SelfTest) -> list[str | None]:
    return [replay.failed for replay in outcome.replays]


def test_untouched_bundle_passes(make_bundle: BundleMaker) -> None:
    outcome = replayed(make_bundle())
    assert outcome.passed
    assert stages(outcome) == [None, None, None]
    assert outcome.skipped == ()
    assert all(replay.max_abs_dp == 0.0 and replay.engine == "arithmetic" for replay in outcome.replays)


def test_changed_image_is_a_file_finding(make_bundle: BundleMaker) -> None:
    folder = make_bundle()
    image = folder / "golden/red.png"
    image.write_bytes(image.read_bytes() + b"\0")
    outcome = replayed(folder)
    assert stages(outcome) == ["file", None, None]
    assert not outcome.passed


def test_missing_image_is_a_file_finding(make_bundle: BundleMaker) -> None:
    folder = make_bundle()
    (folder / "golden/green.png").unlink()
    assert stages(replayed(folder)) == [None, "file", None]


@pytest.mark.parametrize(("field", "stage"), [("decoded_sha256", "decode"), ("pixels_sha256", "pixels")])
def test_other_pixels_are_a_finding_of_their_stage(
    make_bundle: BundleMaker, edit_golden: Edit, field: str, stage: str
) -> None:
    folder = make_bundle()
    edit_golden(folder, **{field: "0" * 64})
    outcome = replayed(folder)
    assert stages(outcome) == [stage, None, None]
    # The scores are compared nevertheless: they tell how much the difference matters.
    assert outcome.replays[0].max_abs_dp == 0.0


def test_decode_comes_before_pixels(make_bundle: BundleMaker, edit_golden: Edit) -> None:
    folder = make_bundle()
    edit_golden(folder, decoded_sha256="0" * 64, pixels_sha256="0" * 64, scores={"tflite-fp32": [1, 0, 0]})
    assert stages(replayed(folder))[0] == "decode"


@pytest.mark.parametrize(
    ("change", "stage"), [(0.99e-4, None), (1.5e-4, "scores"), (-1.5e-4, "scores"), (0.3, "scores")]
)
def test_scores_are_held_against_the_tolerance(
    make_bundle: BundleMaker, edit_golden: Edit, change: float, stage: str | None
) -> None:
    folder = make_bundle()
    # The image is (250, 30, 20), 64 pixels, and the engine adds 1 to each sum.
    sums = [64 * value + 1 for value in (250, 30, 20)]
    exact = [value / sum(sums) for value in sums]
    edit_golden(folder, scores={"tflite-fp32": [exact[0] + change, *exact[1:]]})
    outcome = replayed(folder)
    assert stages(outcome) == [stage, None, None]
    assert outcome.replays[0].max_abs_dp == pytest.approx(abs(change), rel=0.05)


@pytest.mark.parametrize("scores", [{}, {"onnx-fp32": [1, 0, 0]}, {"tflite-fp32": [0.5, 0.5]}])
def test_scores_that_are_not_recorded_are_a_finding(
    make_bundle: BundleMaker, edit_golden: Edit, scores: dict[str, list[float]]
) -> None:
    folder = make_bundle()
    edit_golden(folder, scores=scores)
    assert stages(replayed(folder)) == ["scores", None, None]


def test_scores_that_are_nan_are_a_finding(
    make_bundle: BundleMaker, arithmetic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nan(self: object, pixels: UInt8Array) -> Float32Array:
        return np.full(3, np.nan, dtype=np.float32)

    folder = make_bundle()
    monkeypatch.setattr(arithmetic, "run", nan)
    assert stages(replayed(folder)) == ["scores"] * 3


def test_changed_model_is_a_model_finding(make_bundle: BundleMaker) -> None:
    folder = make_bundle()
    (folder / "model_fp32.tflite").write_bytes(b"other")
    outcome = replayed(folder)
    assert stages(outcome) == ["model"]
    assert "model_fp32.tflite" in outcome.replays[0].detail


def test_changed_index_is_a_bundle_error(make_bundle: BundleMaker) -> None:
    folder = make_bundle()
    (folder / "golden/golden.json").write_text("{}")
    with pytest.raises(BundleError, match="sha256"):
        replayed(folder)


def test_bundle_without_golden_examples_is_a_bundle_error(make_bundle: BundleMaker) -> None:
    with pytest.raises(BundleError, match="needs golden examples"):
        replayed(make_bundle(golden=None))


def test_failed_artifact_is_replayed_too(
    make_bundle: BundleMaker, make_artifact: Callable[..., Artifact]
) -> None:
    assert replayed(make_bundle(artifacts=(make_artifact(verdict="fail"),))).passed


def test_artifact_without_an_engine_is_skipped_and_that_is_no_pass(
    make_bundle: BundleMaker, make_artifact: Callable[..., Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.engines.selection.available", lambda engine: engine == "litert")
    folder = make_bundle(artifacts=(make_artifact(), make_artifact("onnx-fp32")))
    outcome = replayed(folder)
    assert outcome.passed
    assert outcome.skipped == ("onnx-fp32",)
    outcome = replayed(folder, artifacts=["onnx-fp32"])
    assert not outcome.passed
    assert outcome.replays == ()


def test_unknown_artifact_lists_the_known_ones(make_bundle: BundleMaker) -> None:
    with pytest.raises(UnknownNameError, match="tflite-fp32"):
        replayed(make_bundle(), artifacts=["tflite-int4"])


class Shifted:
    """The reference of an engine: the arithmetic, off by a constant."""

    closed = False

    def __init__(self, engine: type[Any], shift: float) -> None:
        self._engine, self._shift = engine(), np.float32(shift)

    def run(self, pixels: UInt8Array) -> Float32Array:
        scores: Float32Array = self._engine.run(pixels) + self._shift
        return scores

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(("shift", "stage"), [(0.0, None), (1e-4, "scores"), (float("nan"), "scores")])
def test_engine_with_other_kernels_is_compared_with_its_reference(
    make_bundle: BundleMaker, edit_golden: Edit, arithmetic: type[Any], monkeypatch: pytest.MonkeyPatch,
    shift: float, stage: str | None,
) -> None:  # fmt: skip
    reference = Shifted(arithmetic, shift)
    monkeypatch.setattr("edge_runtime.engines.opening.open_reference", lambda *about: reference)
    folder = make_bundle()
    # Scores of other kernels: far beyond any tolerance, and no difference.
    edit_golden(folder, scores={"tflite-fp32": [1.0, 1.0, 1.0]})
    outcome = replayed(folder)
    assert stages(outcome) == [stage] * 3
    assert {replay.tolerance for replay in outcome.replays} == {1e-5}
    assert [replay.recorded_dp for replay in outcome.replays] == [pytest.approx(0.93, abs=0.01), 0.0, 0.0]
    assert reference.closed


def test_reference_that_is_not_installed_is_no_difference(
    make_bundle: BundleMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*about: object) -> None:
        raise EnvironmentMissingError.of_extra("Running a .tflite file", "ai-edge-litert", "")

    monkeypatch.setattr("edge_runtime.engines.opening.open_reference", missing)
    with pytest.raises(EnvironmentMissingError, match="ai-edge-litert"):
        replayed(make_bundle())
