"""``snapship cost`` on a real bundle: the app in processes of its own, timed and priced."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from edge_runtime.common.errors import (
    BundleError,
    EnvironmentMissingError,
    ImageError,
    SnapshipError,
    UsageError,
)
from serverless.deploy.cost import Load, RequestProfile, estimate, measure, read_prices
from serverless.deploy.cost.cli import cost


@pytest.fixture(scope="module")
def measured(digits_bundle: Path) -> RequestProfile:
    return measure(digits_bundle, artifact="tflite-fp32", seconds=0.3, requests=6)


def test_measure_answers_every_golden_image_in_each_process(measured: RequestProfile) -> None:
    assert measured.artifact == "tflite-fp32"
    assert measured.images == "6 golden images"
    assert measured.requests >= 18
    assert measured.requests % 6 == 0
    assert 0 < measured.p50_ms <= measured.p99_ms
    assert measured.mean_ms > 0
    # Loading NumPy, an interpreter and the app takes longer than one tiny image.
    assert measured.init_ms > measured.p50_ms
    # Python with NumPy and an interpreter, and nothing like TensorFlow.
    assert 20 < measured.peak_mb < 400


def test_measure_counts_the_log_line_and_its_metrics(measured: RequestProfile) -> None:
    assert 200 < measured.log_bytes < 2000
    assert measured.metrics == 4


def test_measure_takes_other_images(digits_bundle: Path) -> None:
    images = sorted((digits_bundle / "golden").glob("*.png"))[:1]
    found = measure(digits_bundle, images=images, seconds=0.1, requests=2)
    assert found.images == images[0].name


def test_measure_of_an_image_that_is_none_is_refused(digits_bundle: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    with pytest.raises(ImageError):
        measure(digits_bundle, images=[broken], seconds=0.1, requests=1)
    with pytest.raises(UsageError, match="must be a file"):
        measure(digits_bundle, images=[tmp_path / "none.jpg"])


def test_measure_of_a_refusing_app_says_what_it_said(digits_bundle: Path, tmp_path: Path) -> None:
    # More than Lambda brings.
    Image.new("RGB", (1300, 1300)).save(tmp_path / "large.bmp")
    with pytest.raises(EnvironmentMissingError, match="status 413"):
        measure(digits_bundle, images=[tmp_path / "large.bmp"], seconds=0.1, requests=1)


def test_measure_takes_no_notice_of_another_endpoints_settings(
    digits_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "SNAPSHIP_MAX_BYTES": "10",
        "SNAPSHIP_AUTH": "api-key",
        "SNAPSHIP_THREADS": "many",
        "AWS_LAMBDA_FUNCTION_NAME": "x" * 1500,
    }.items():
        monkeypatch.setenv(name, value)
    assert measure(digits_bundle, seconds=0.1, requests=1).log_bytes < 2000


def test_measure_takes_a_zip(digits_bundle: Path, tmp_path: Path) -> None:
    zipped = shutil.make_archive(str(tmp_path / "digits"), "zip", digits_bundle)
    assert measure(zipped, seconds=0.1, requests=1).images == "6 golden images"


def test_measure_of_a_damaged_bundle_is_refused(own_digits_bundle: Path) -> None:
    shutil.rmtree(own_digits_bundle / "golden")
    with pytest.raises(BundleError):
        measure(own_digits_bundle, seconds=0.1)


def test_cost_prints_json_that_the_formulas_give(digits_bundle: Path) -> None:
    done = CliRunner().invoke(
        cost,
        [
            str(digits_bundle),
            "--requests",
            "2e6",
            "--arch",
            "arm64",
            "--ms",
            "40",
            "--seconds",
            "0.1",
            "--json",
        ],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    measured = RequestProfile(**found["measured"])
    assert (measured.mean_ms, measured.requests) == (40, 0)
    again = estimate(measured, Load(2e6, arch="arm64"), read_prices())
    assert [row["usd"] for row in found["rows"]] == [row.usd for row in again.rows]
    assert found["cheapest_mb"] == again.cheapest_mb
    assert found["advised_mb"] == again.advised_mb
    assert found["prices"]["verified"] is False


def test_cost_prints_one_size_and_where_the_prices_are_from(digits_bundle: Path) -> None:
    words = [str(digits_bundle), "--memory", "512", "--seconds", "0.1"]
    done = CliRunner().invoke(cost, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert "Cheapest: 512 MB" in done.stdout
    assert "not compared with AWS's pages" in done.stdout
    assert read_prices().date in done.stdout
    assert "1769" not in done.stdout


@pytest.mark.parametrize(
    "words", [["--memory", "64"], ["--requests", "-1"], ["--cold-share", "2"], ["--p99-ms", "0"]]
)
def test_cost_refuses_bad_options_before_it_measures(digits_bundle: Path, words: list[str]) -> None:
    done = CliRunner().invoke(cost, [str(digits_bundle), *words])
    assert isinstance(done.exception, SnapshipError)
    assert done.exception.exit_code == 2
    assert "Measuring" not in done.output
