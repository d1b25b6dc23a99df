"""A set with more pixels and activations than the process may take trains, fine-tuned from its activations."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import io, resource, sys
from pathlib import Path
import numpy as np
from PIL import Image
import trainer.training as training
import trainer.training_checks as checks
from edge_runtime.dataset import ImageSet, Item
from trainer import TrainConfig
from trainer.core.backend import load_keras
from trainer.core.cache import Pixels

SIDE, FEW, MANY, SPARE = 224, 80, 4_000, 400_000_000
folder = Path(sys.argv[1])
keras = load_keras()
weights = folder / "some.weights.h5"
weights.touch()
buffer = io.BytesIO()
Image.new("RGB", (SIDE, SIDE)).save(buffer, "PNG")

def build(*given, **options):
    # A backbone that costs little: what is tested is what training holds of many images.
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = keras.layers.AveragePooling2D(4, name="frozen")(image)
    x = keras.layers.Conv2D(8, 5, strides=5, name="tuned")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(image, keras.layers.Dense(2, activation="softmax", name="scores")(x))

def train(count, hold=False):
    # A sparse file: black pixels that take no disk.
    np.lib.format.open_memmap(folder / f"{count}.npy", mode="w+", dtype=np.uint8, shape=(count, SIDE, SIDE, 3))
    array = np.lib.format.open_memmap(folder / f"{count}.npy", mode="r")
    items = tuple(
        Item(f"{place}.png", place % 2, "val" if place % 5 == 0 else "train", f"{place:064x}")
        for place in range(count)
    )
    images = ImageSet("made", ("a", "b"), items, lambda item: buffer.getvalue())
    labels = np.array([item.label for item in items], np.int64)
    pixels = Pixels(images, np.array(array) if hold else array, labels)
    training.open_dataset = lambda data: images
    training.cached_pixels = lambda *given: pixels
    training.build = build
    # All photos are blank, which takes long to say; test_bounded_memory has the checks.
    training.data_warnings = lambda *given: ()
    checks.check_weights = lambda *given: None
    run = training.train(TrainConfig(
        data=folder, out=folder / "run", weights=weights, size=SIDE, epochs=1, fine_tune_epochs=1, unfreeze=2,
        views=2, batch_size=64, overwrite=True, cache_dir=folder / "cache",
    ))
    assert run.record.metrics.epochs == 2

# Libraries, compiled functions and threads' stacks are there before the limit is set.
train(FEW)
with open("/proc/self/status") as file:
    used = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + SPARE, used + SPARE))
train(MANY, hold=sys.argv[2] == "hold")
assert MANY * SIDE * SIDE * 3 > 1.2 * SPARE
print("done")
"""


def run(folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), what],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's private memory alone")
@pytest.mark.parametrize(("what", "printed"), [("map", "done\n"), ("hold", "")])
def test_set_larger_than_memory_trains(tmp_path: Path, what: str, printed: str) -> None:
    done = run(tmp_path, what)
    assert done.stdout == printed, done.stderr[-2000:]
    assert ("MemoryError" in done.stderr) == (what == "hold")
