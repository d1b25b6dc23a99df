"""The Lambda function's environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.errors import UsageError
from serverless.app.settings import Settings


def read(root: Path, **variables: str) -> Settings:
    return Settings.read({"LAMBDA_TASK_ROOT": str(root), **variables})


def test_all_variables_are_read(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        SNAPSHIP_BUNDLE="models/pets.zip",
        SNAPSHIP_ARTIFACT="tflite-int8",
        SNAPSHIP_ENGINE="litert",
        SNAPSHIP_THREADS="2",
        SNAPSHIP_TOP_K="3",
    )
    assert settings == Settings(tmp_path / "models/pets.zip", "tflite-int8", "litert", 2, 3)


def test_empty_variables_count_as_unset(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    settings = read(
        tmp_path,
        SNAPSHIP_BUNDLE="",
        SNAPSHIP_ARTIFACT="",
        SNAPSHIP_ENGINE="",
        SNAPSHIP_THREADS="",
        SNAPSHIP_TOP_K="",
    )
    assert settings == Settings(tmp_path / "bundle")


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
    ],
)
def test_a_bad_value_is_named_in_one_line(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(UsageError, match=variable) as caught:
        read(tmp_path, SNAPSHIP_BUNDLE="x", **{variable: value})
    assert "Received:" in str(caught.value)
    assert "\n" not in str(caught.value)
