"""Downloaded sets, from the place where Keras leaves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.common.errors import EnvironmentMissingError
from edge_runtime.dataset import array_file, open_dataset
from trainer.core.cache import ensure_downloaded


def loaded() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    print("Downloading data from somewhere")
    return ((np.zeros((20, 28, 28), np.uint8), np.arange(20) % 10),
            (np.ones((10, 28, 28), np.uint8), np.arange(10)))  # fmt: skip


def test_set_is_downloaded_once_and_stdout_stays_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(keras.datasets.mnist, "load_data", loaded)
    ensure_downloaded("mnist")
    assert open_dataset("mnist").counts()["3"] == {"train": 2, "val": 1}
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Downloading" in captured.err
    assert [path.name for path in array_file("mnist").parent.iterdir()] == ["mnist.npz"]
    ensure_downloaded("mnist")
    assert capsys.readouterr().err == ""


def test_failed_download_is_one_line_with_exit_code_4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    def fail() -> None:
        raise Exception("URL fetch failure on https://somewhere:\nNone -- no route")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", fail)
    with pytest.raises(
        EnvironmentMissingError, match=r"must be downloaded once\. Received: URL fetch"
    ) as caught:
        ensure_downloaded("cifar10")
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", ["digits", "some/folder", "./mnist"])
def test_anything_else_is_left_alone(data: str) -> None:
    ensure_downloaded(data)
