"""The Lambda function's environment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_runtime.common.errors import UsageError
from edge_runtime.image.preprocess import MAX_BYTES, MAX_PIXELS
from serverless.app.core import settings as module
from serverless.app.core.settings import LAMBDA_MAX_BYTES, AppConfig


def read(root: Path, **variables: str) -> AppConfig:
    return AppConfig.read({"LAMBDA_TASK_ROOT": str(root), **variables})


def test_all_variables_are_read(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        SNAPSHIP_BUNDLE="models/pets.zip",
        SNAPSHIP_ARTIFACT="tflite-int8",
        SNAPSHIP_ENGINE="litert",
        SNAPSHIP_THREADS="2",
        SNAPSHIP_TOP_K="3",
        SNAPSHIP_MAX_BYTES="4",
        SNAPSHIP_MAX_IMAGES="5",
        SNAPSHIP_MAX_PIXELS="6",
        SNAPSHIP_AUTH="api-key",
        SNAPSHIP_API_KEYS_PARAMETER="/snapship/pets/keys",
        SNAPSHIP_CORS_ORIGINS="https://a.example, http://localhost:3000,",
        SNAPSHIP_S3_BUCKETS="photos, more.photos",
        SNAPSHIP_RESULTS="s3://results/pets/",
        SNAPSHIP_METRICS_NAMESPACE="pets/prod",
    )
    assert settings == AppConfig(
        bundle=tmp_path / "models/pets.zip",
        artifact="tflite-int8",
        engine="litert",
        threads=2,
        top_k=3,
        max_bytes=4,
        max_image_bytes=4,
        max_images=5,
        max_pixels=6,
        inline=True,
        keys_parameter="/snapship/pets/keys",
        cors_origins=("https://a.example", "http://localhost:3000"),
        s3_buckets=("photos", "more.photos"),
        results="s3://results/pets/",
        log="json",
        metrics_namespace="pets/prod",
    )


def test_empty_variables_count_as_unset(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    documented = re.findall("^SNAPSHIP_[A-Z0-9_]+", module.__doc__ or "", re.MULTILINE)
    assert len(documented) == 16
    assert read(tmp_path, **dict.fromkeys(documented, "")) == AppConfig(
        tmp_path / "bundle", max_image_bytes=MAX_BYTES, max_pixels=MAX_PIXELS, inline=True, log="json"
    )


def test_a_function_takes_requests_as_large_as_lambda_does(tmp_path: Path) -> None:
    found = read(tmp_path, SNAPSHIP_BUNDLE="x", AWS_LAMBDA_FUNCTION_NAME="pets")
    assert (found.max_bytes, found.max_image_bytes) == (LAMBDA_MAX_BYTES, 20_000_000)
    # In base64 and with the event around it, 6 MB.
    assert LAMBDA_MAX_BYTES * 4 / 3 + 100_000 < 6 * 1024 * 1024
    found = read(tmp_path, SNAPSHIP_BUNDLE="x", SNAPSHIP_MAX_BYTES="7000000", AWS_LAMBDA_FUNCTION_NAME="pets")
    assert (found.max_bytes, found.max_image_bytes) == (7_000_000, 7_000_000)


def test_an_absolute_bundle_stays_where_it_is(tmp_path: Path) -> None:
    assert read(tmp_path / "task", SNAPSHIP_BUNDLE=str(tmp_path / "x")).bundle == tmp_path / "x"


def test_the_bundle_is_found_beside_the_code(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").touch()
    assert read(tmp_path).bundle == tmp_path
    (tmp_path / "pets.bundle").mkdir()
    assert read(tmp_path).bundle == tmp_path / "pets.bundle"
    (tmp_path / "bundle").mkdir()
    assert read(tmp_path).bundle == tmp_path / "bundle"


@pytest.mark.parametrize("names", [(), ("a.bundle", "b.bundle")])
def test_no_single_bundle_is_an_error(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match="SNAPSHIP_BUNDLE") as caught:
        read(tmp_path)
    assert (", ".join(names) or "none") in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SNAPSHIP_THREADS", "two"),
        ("SNAPSHIP_THREADS", "0"),
        ("SNAPSHIP_THREADS", "65"),
        ("SNAPSHIP_THREADS", "٣"),
        ("SNAPSHIP_TOP_K", "-1"),
        ("SNAPSHIP_TOP_K", "1e3"),
        ("SNAPSHIP_TOP_K", "9" * 5000),
        ("SNAPSHIP_ENGINE", "tensorflow"),
        ("SNAPSHIP_MAX_BYTES", "20MB"),
        ("SNAPSHIP_MAX_BYTES", "0"),
        ("SNAPSHIP_MAX_IMAGES", "-1"),
        ("SNAPSHIP_MAX_PIXELS", "1.5"),
        ("SNAPSHIP_AUTH", "iam"),
        ("SNAPSHIP_AUTH", "API-KEY"),
        # No keys for it.
        ("SNAPSHIP_AUTH", "api-key"),
        ("SNAPSHIP_CORS_ORIGINS", "*"),
        ("SNAPSHIP_CORS_ORIGINS", "https://a.example/page"),
        ("SNAPSHIP_S3_BUCKETS", "s3://photos"),
        ("SNAPSHIP_S3_BUCKETS", "photos,Photos"),
        ("SNAPSHIP_RESULTS", "results/pets"),
        ("SNAPSHIP_RESULTS", "s3://"),
        ("SNAPSHIP_RESULTS", "s3://results/a\nb"),
        ("SNAPSHIP_METRICS_NAMESPACE", "AWS/Lambda"),
        ("SNAPSHIP_METRICS_NAMESPACE", "a b"),
        ("SNAPSHIP_API_KEYS_PARAMETER", "a b"),
    ],
)
def test_a_bad_value_is_named_in_one_line(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(UsageError, match=variable) as caught:
        read(tmp_path, SNAPSHIP_BUNDLE="x", **{variable: value})
    assert "Received:" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SNAPSHIP_AUTH": "api-key"}, "neither"),
        ({"SNAPSHIP_AUTH": "api-key", "SNAPSHIP_API_KEYS": " "}, "neither"),
        ({"SNAPSHIP_AUTH": "api-key", "SNAPSHIP_API_KEYS": "x", "SNAPSHIP_API_KEYS_PARAMETER": "y"}, "both"),
        ({"SNAPSHIP_API_KEYS": "x"}, "none with SNAPSHIP_API_KEYS"),
        ({"SNAPSHIP_AUTH": "none", "SNAPSHIP_API_KEYS_PARAMETER": "y"}, "SNAPSHIP_API_KEYS_PARAMETER"),
    ],
)
def test_keys_and_auth_must_agree(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match="SNAPSHIP_AUTH") as caught:
        read(tmp_path, SNAPSHIP_BUNDLE="x", **variables)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
