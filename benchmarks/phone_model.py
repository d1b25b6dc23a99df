"""What is tried on a phone: MobileNetV2 as a bundle of its int8 file, and the app that is made of it.

A separate process makes the model, so that no TensorFlow is in the memory of a test.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.tiny import TINY_WIDTH, tiny_photos

MODULE = "benchmarks.phone_model"
ROOT = Path(__file__).resolve().parent.parent

CALIBRATION = 40
"""Photos for the ranges of int8: the model is compared with itself, so a few are enough."""

ENDINGS = (".jpg", ".jpeg")


def phone_bundle(folder: Path, photos: Path | None, weights: Path | None) -> Path:
    """Makes a bundle with golden examples that are JPEGs; leaves one that is there.

    Args:
        folder: Where to.
        photos: ImageNet photos with ``labels.txt``; None for noise.
        weights: MobileNetV2 weights with the head; None for a small network of random ones.

    Returns:
        ``folder / "phone.bundle"``.
    """
    bundle = folder / "phone.bundle"
    if not bundle.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        data = photos or tiny_photos(folder / "noise", per_class=4)
        subprocess.run(
            [sys.executable, "-m", MODULE, str(folder), str(data), "" if weights is None else str(weights)],
            cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    return bundle


def jpegs(folder: Path, count: int) -> list[Path]:
    """JPEG files below a folder, evenly spread over their order by name."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    return found[:: max(1, len(found) // count)][:count]


def _make(folder: Path, photos: Path, weights: str) -> None:
    from exporter import ExportConfig, export
    from trainer import models

    side, classes = (224, 1000) if weights else (32, 3)
    width = {} if weights else {"width": TINY_WIDTH}
    built: Any = models.build(
        "mobilenet_v2", input_shape=(side, side, 3), classes=classes,
        weights=Path(weights) if weights else None, **width,
    )  # fmt: skip
    if not weights:
        _spread(built, photos)
    built.save(folder / "phone.keras")
    labels = photos / "labels.txt"
    if not weights:
        labels = folder / "labels.txt"
        labels.write_text("colour_0\ncolour_1\ncolour_2\n", "utf-8")
    export(
        ExportConfig(
            source=folder / "phone.keras", out=folder / "phone.bundle", labels=labels, name="phone", data=photos,
            artifacts=("tflite-int8",), calibration=CALIBRATION, check=False,
            repair="off",
        )
    )  # fmt: skip


def _spread(built: Any, photos: Path) -> None:
    """Makes random weights tell pictures apart: as they are, every class gets the same score."""
    side = built.input_shape[1]
    files = sorted(photos.rglob("*.jpg"))
    batch = np.stack([np.asarray(Image.open(file).resize((side, side)), np.float32) for file in files])
    for layer in built.layers:
        if hasattr(layer, "momentum"):
            # One pass in training mode then leaves this batch's mean and variance.
            layer.momentum = 0.0
    built(batch, training=True)
    head = built.get_layer("scores")
    kernel, bias = head.get_weights()
    scores = np.log(built.predict(batch, verbose=0))
    head.set_weights([kernel * (3.0 / scores.std()), bias])


if __name__ == "__main__":
    _make(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
