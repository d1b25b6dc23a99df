"""Scores and times .onnx files in a process of its own; started by :mod:`benchmarks.onnx_kernels`.

    python -m benchmarks.onnx_worker FOLDER

FOLDER holds the .onnx files and ``pixels.npy``; ``WAY.scores.npy`` and ``latencies.json`` are written,
a way for each file by the default kernels and, for quantized files, by the exact ones.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from edge_runtime.engines.onnx import OnnxEngine

DEFAULT, EXACT = "default", "exact"
ROUNDS = 40


def main(folder: Path) -> None:
    """Runs every way.

    Args:
        folder: See the head of this file.
    """
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    engines = {}
    for file in sorted(folder.glob("*.onnx")):
        for kernels in (DEFAULT, EXACT) if "int8" in file.stem else (DEFAULT,):
            way = f"{file.stem}.{kernels}"
            engines[way] = OnnxEngine(file, file.name, 1, exact=kernels == EXACT)
            np.save(folder / f"{way}.scores.npy", np.stack([engines[way].run(image) for image in pixels]))
    taken: dict[str, list[float]] = {way: [] for way in engines}
    for _ in range(ROUNDS):
        for way, engine in engines.items():
            # Processor time of one thread: other work on the machine does not count.
            start = time.process_time()
            engine.run(np.asarray(pixels[0]))
            taken[way].append(time.process_time() - start)
    seconds = {way: statistics.median(times) for way, times in taken.items()}
    (folder / "latencies.json").write_text(json.dumps(seconds), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
