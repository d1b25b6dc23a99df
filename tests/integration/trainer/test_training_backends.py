"""Training on JAX and PyTorch: without TensorFlow, and into a run that exports on TensorFlow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime import Classifier
from exporter import ExportConfig, check, export
from tests.backends import environment_of, packages_of
from trainer import read_run
from trainer.evaluation.evaluation import load_model

pytestmark = pytest.mark.slow

PROGRAM = """
import json, sys
import numpy as np
from edge_runtime.dataset import open_dataset
from trainer import TrainConfig, train
from trainer.core.cache import cached_pixels
from trainer.evaluation.evaluation import load_model, predict

options = json.loads(sys.argv[1])
run = train(TrainConfig(**options))
pixels = cached_pixels(open_dataset(options["data"]), run.record.input, options["cache_dir"])
chosen = np.arange(min(100, len(pixels.labels)))
scores = predict(load_model(run.path), pixels.array, chosen)
np.savez(sys.argv[2], pixels=pixels.array[chosen], scores=scores)
print("\\n" + json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@dataclass(frozen=True)
class Elsewhere:
    """A run that another process trained on another backend.

    Attributes:
        backend: The backend.
        run: The run folder.
        pixels: uint8 ``[n, height, width, channels]``.
        scores: What that process made of them, float32 ``[n, classes]``.
        loaded: Top-level modules that it had loaded at the end.
    """

    backend: str
    run: Path
    pixels: np.ndarray[Any, np.dtype[np.uint8]]
    scores: np.ndarray[Any, np.dtype[np.float32]]
    loaded: frozenset[str]


def train_elsewhere(backend: str, folder: Path, **options: Any) -> Elsewhere:
    """Trains in a fresh process."""
    settings = {**options, "out": str(folder / "run"), "cache_dir": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(settings), str(folder / "answers.npz")],
        env={**os.environ, **environment_of(backend)},
        capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = np.load(folder / "answers.npz")
    loaded = frozenset(json.loads(done.stdout.splitlines()[-1]))
    return Elsewhere(backend, folder / "run", answers["pixels"], answers["scores"], loaded)


@pytest.fixture(scope="module", params=["jax", "torch"])
def backend(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    packages_of(name)
    return name


@pytest.fixture(scope="module")
def digits_elsewhere(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """The digits after two epochs."""
    folder = tmp_path_factory.mktemp(backend)
    return train_elsewhere(backend, folder, data="digits", model="small_cnn", epochs=2, ema=0.9)


def test_training_runs_on_the_backend_and_loads_no_tensorflow(digits_elsewhere: Elsewhere) -> None:
    assert read_run(digits_elsewhere.run).backend == digits_elsewhere.backend
    assert digits_elsewhere.backend in digits_elsewhere.loaded
    # It is installed here, since this process exports; Keras itself looks at JAX on every backend.
    assert find_spec("tensorflow") is not None
    assert "tensorflow" not in digits_elsewhere.loaded


def test_trained_elsewhere_scores_the_same_on_tensorflow(digits_elsewhere: Elsewhere) -> None:
    same_scores(digits_elsewhere)


def test_trained_elsewhere_exports_and_passes_the_gate(digits_elsewhere: Elsewhere, tmp_path: Path) -> None:
    out = tmp_path / "digits.bundle"
    export(
        ExportConfig(
            source=digits_elsewhere.run, out=out, artifacts=("tflite-fp32", "tflite-int8"), data="digits"
        )
    )
    found = {name: entry.verdict for name, entry in check(out, data="digits", margin=0.05).artifacts.items()}
    assert found == {"tflite-fp32": "pass", "tflite-int8": "pass"}
    classifier = Classifier.open(out, artifact="tflite-fp32")
    shipped = np.stack([classifier.scores(image) for image in digits_elsewhere.pixels[:20]])
    np.testing.assert_allclose(shipped, digits_elsewhere.scores[:20], rtol=0, atol=1e-4)


def test_fine_tuned_elsewhere_scores_the_same_on_tensorflow(
    backend: str, shared: Path, tmp_path: Path
) -> None:
    # Real weights: with random ones the scores of a deep network hardly depend on the picture.
    weights = shared / "weights" / "mobilenet_v2_1.0_224_imagenet_no_top.weights.h5"
    for side, count in (("train", 6), ("val", 4)):
        for folder in sorted((shared / "data" / "flowers" / side).iterdir())[:3]:
            (tmp_path / "few" / side / folder.name).mkdir(parents=True)
            for photo in sorted(folder.iterdir())[:count]:
                shutil.copy(photo, tmp_path / "few" / side / folder.name)
    trained = train_elsewhere(
        backend, tmp_path, data=str(tmp_path / "few"), model="mobilenet_v2", size=96, weights=str(weights), epochs=2,
        fine_tune_epochs=1, unfreeze=20, augment="none",
    )  # fmt: skip
    assert "tensorflow" not in trained.loaded
    same_scores(trained)


def same_scores(trained: Elsewhere) -> None:
    """Here Keras runs on TensorFlow."""
    model = load_model(trained.run)
    scores = np.asarray(model.predict_on_batch(trained.pixels.astype(np.float32)))
    assert np.ptp(trained.scores, axis=0).max() > 1e-3, "scores that never change would prove nothing"
    np.testing.assert_allclose(scores, trained.scores, rtol=0, atol=1e-4)
