"""``--best`` on real exports; the unit tests say which of many is picked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.common.errors import DataError, InconclusiveError, UsageError
from exporter import ExportConfig, export
from trainer import Run


def test_best_of_too_few_images_is_inconclusive(digits_run: Run, tmp_path: Path) -> None:
    config = ExportConfig(
        source=digits_run.path, out=tmp_path / "x.bundle", best="latency", margin=1e-4,
        artifacts=("tflite-fp32",), evidence="quick",
    )  # fmt: skip
    with pytest.raises(InconclusiveError, match="tflite-fp32: inconclusive") as caught:
        export(config)
    assert caught.value.exit_code == 3
    assert not list(tmp_path.iterdir())


def test_best_without_judging_images_is_refused(saved: Callable[..., Path], tmp_path: Path) -> None:
    labels, source = tmp_path / "labels.txt", saved()
    labels.write_text("a\nb\nc\nd\n", encoding="utf-8")
    with pytest.raises(DataError, match="--data") as caught:
        export(
            ExportConfig(
                source=source,
                out=tmp_path / "x.bundle",
                labels=labels,
                best="size",
                artifacts=("tflite-fp32",),
            )
        )
    assert caught.value.exit_code == 2
    assert not (tmp_path / "x.bundle").exists()


def test_best_without_a_check_is_refused() -> None:
    with pytest.raises(UsageError, match="--no-check"):
        ExportConfig(source="run", out="x.bundle", best="size", check=False)
