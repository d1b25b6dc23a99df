"""What every edge benchmark runs: MobileNetV2 as a bundle, photos of 320x240, and facts about the machine.

A separate process makes the model, so that no TensorFlow is in the memory that is measured.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.machine import LOAD, flags, load
from benchmarks.options import check_photos, parser
from benchmarks.tiny import TINY_WIDTH
from edge_runtime.bench import this_machine
from snapship.doctor import checkup

MODULE = "benchmarks.edge_model"
ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = ("tflite-fp32", "tflite-int8", "onnx-fp32")
PHOTO_SIZE = (320, 240)


def edge_parser(module: str, description: str) -> argparse.ArgumentParser:
    """Returns a parser with the options of every edge benchmark.

    Args:
        module: Such as ``benchmarks.edge_latency``.
        description: What is measured.
    """
    made = parser(module, description)
    made.add_argument("--data", type=Path, help="folder of class folders of photos, such as flowers/val")
    made.add_argument("--weights", type=Path, help="MobileNetV2 weights file with its head")
    made.add_argument(
        "--made", type=Path, help="folder that keeps the model for the next script (default: made each time)"
    )
    made.add_argument("--photos", type=int, default=40, help="photos to answer (default 40)")
    return made


def edge_model(made: argparse.ArgumentParser, options: Any, place: Path) -> tuple[Path, list[Path]]:
    """Makes the model and picks the photos.

    Args:
        made: The parser, for its errors.
        options: What it read.
        place: A scratch folder.

    Returns:
        A folder that holds ``model.bundle`` and ``model.keras``, and JPEG files of 320x240 pixels.
    """
    check_photos(made, options)
    # Whole: another checkout runs in its own folder.
    folder: Path = (options.made or place / "model").resolve()
    photos = _tiny_photos(place / "photos") if options.quick else _photos(options.data, options.photos)
    if not (folder / "model.bundle").is_dir():
        words = [
            "" if options.quick else str(options.weights),
            str(folder),
            str(place / "photos" if options.quick else options.data),
        ]
        subprocess.run([sys.executable, "-m", MODULE, *words], cwd=ROOT, check=True)
    return folder, photos


def facts() -> dict[str, str]:
    """Names the machine and the software that take part."""
    found, here = checkup(), this_machine()
    names = ("snapship", "ai-edge-litert", "onnxruntime", "numpy", "pillow", "simplejpeg")
    return {
        "CPU": f"{here.cpu}, {here.cores} cores",
        "CPU flags": flags(),
        "memory": "unknown" if found.memory_gb is None else f"{found.memory_gb:.0f} GB",
        "system": f"{found.platform}, Python {found.python}",
        "software": ", ".join(_version(name) for name in names),
        LOAD: load(),
    }


def _photos(data: Path, count: int) -> list[Path]:
    """As many photos of each class, the size that the figures are about."""
    found = []
    for path in sorted(data.rglob("*.jpg"), key=lambda path: (path.name, path.parent.name)):
        with Image.open(path) as picture:
            if picture.size == PHOTO_SIZE and picture.mode == "RGB":
                found.append(path)
        if len(found) == count:
            return found
    raise ValueError(
        f"The photos must be {PHOTO_SIZE} JPEG files. Received: {len(found)} of {count} in {data}."
    )


def _tiny_photos(folder: Path) -> list[Path]:
    import numpy as np

    random = np.random.default_rng(0)
    paths = [folder / side / f"{index}.jpg" for side in ("left", "right") for index in range(2)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        small.resize(PHOTO_SIZE, Image.Resampling.BICUBIC).save(path)
    return paths


def _version(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"no {name}"


def _make(weights: str, folder: Path, photos: Path) -> None:
    """What the process of its own does: ImageNet's network, or a tiny one without weights."""
    from exporter import ExportConfig, export
    from trainer import models

    folder.mkdir(parents=True, exist_ok=True)
    side, classes = (224, 1000) if weights else (32, 10)
    width = {} if weights else {"width": TINY_WIDTH}
    built: Any = models.build(
        "mobilenet_v2", input_shape=(side, side, 3), classes=classes,
        weights=Path(weights) if weights else None, **width,
    )  # fmt: skip
    built.save(folder / "model.keras")
    labels = folder / "labels.txt"
    labels.write_text("".join(f"class {index}\n" for index in range(classes)), "utf-8")
    export(
        ExportConfig(
            source=folder / "model.keras", out=folder / "model.bundle", labels=labels, artifacts=ARTIFACTS,
            calibration_data=photos, check=False, repair="off",
        )
    )  # fmt: skip


if __name__ == "__main__":
    _make(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
