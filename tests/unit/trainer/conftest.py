"""Records and pictures that need no Keras."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime.image.input_spec import InputSpec
from trainer.run.run_json import RUN_FILE, DataItem, DataRecord, RunMetrics, RunRecord, write_data, write_run


@pytest.fixture
def record() -> RunRecord:
    """A small valid run.json."""
    return RunRecord(
        schema_version=1, name="run", model="small_cnn", labels=("cat", "dog"),
        input=InputSpec(height=12, width=10), config={"seed": 3, "fit": "stretch"},
        metrics=RunMetrics(
            val_top1=0.5, val_loss=0.7, val_images=4, train_images=8, epochs=2, seconds=1.5
        ),
        data_source="/data", data_sha256="0" * 64, versions={"numpy": "2"}, seed=3, backend="tensorflow",
        created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


@pytest.fixture
def run_folder(tmp_path: Path, record: RunRecord) -> Path:
    """A run folder without a model."""
    folder = tmp_path / "run"
    folder.mkdir()
    write_run(folder, record)
    write_data(folder, DataRecord("/data", ("cat", "dog"), (DataItem("a.png", 1, "val", "0" * 64),)))
    assert (folder / RUN_FILE).is_file()
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Callable[[int], Path]:
    """Writes two class folders of 9x9 pictures, so many each; another seed, other pictures."""

    def write(count: int, seed: int = 0) -> Path:
        random = np.random.default_rng(seed)
        folder = tmp_path / f"photos{seed}"
        for name in ("cat", "dog"):
            (folder / name).mkdir(parents=True)
            for place in range(count):
                buffer = io.BytesIO()
                noise = random.integers(0, 256, (9, 9, 3), dtype=np.uint8)
                Image.fromarray(noise).save(buffer, "PNG")
                (folder / name / f"{place}.png").write_bytes(buffer.getvalue())
        return folder

    return write
