"""What training refuses before anything slow begins."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.common.errors import EnvironmentMissingError, SnapshipError, UsageError
from trainer import Event, TrainConfig, train

Photos = Callable[..., Path]


def nothing_begins(event: Event, /) -> None:
    raise AssertionError(event)


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_package_of_the_report_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setattr(
        "trainer.analysis.report.find_spec", lambda name: None if name == package else object()
    )
    with pytest.raises(EnvironmentMissingError, match=rf"{package}.*pip install 'snapship\[train\]'"):
        train(TrainConfig(data="digits", model="small_cnn", out=tmp_path / "run"), nothing_begins)
    assert not list(tmp_path.iterdir())


def test_weights_file_and_out(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    for options in ({"weights": tmp_path / "missing.h5", "out": tmp_path / "run"},
                    {"weights": "none", "out": tmp_path / "taken"}):  # fmt: skip
        with pytest.raises(UsageError, match="Received:"):
            train(TrainConfig(data="digits", **options), nothing_begins)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_path_that_run_json_could_not_hold(tmp_path: Path) -> None:
    odd = os.fsdecode(b"f\xfcr")
    for options in (
        {"data": tmp_path / odd, "out": tmp_path / "run"},
        {"data": "digits", "out": tmp_path / odd},
    ):
        with pytest.raises(SnapshipError, match="must be a path in UTF-8"):
            train(TrainConfig(model="small_cnn", **options), nothing_begins)
    assert not list(tmp_path.iterdir())
