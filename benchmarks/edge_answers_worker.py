"""Times answers of the edge runtime of one checkout; started by :mod:`benchmarks.edge_answers`.

    PYTHONPATH=CHECKOUT python benchmarks/edge_answers_worker.py WAY ROUNDS BUNDLE PHOTO...

WAY is ``pillow`` or ``fast``, the decoder of JPEG files; ROUNDS counts passes over the photos; BUNDLE is a bundle
with an int8 artifact, or ``SIZExSIZE`` for a model's input without a model. It imports nothing of benchmarks/, so
that it also times a checkout that lacks this file. Seconds are written as JSON: a list per way, a number per photo,
each the smallest of all rounds, by the clock and of CPU.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from edge_runtime import Bundle, Classifier
from edge_runtime.image import fast_jpeg
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import pixels


def main(way: str, rounds: int, bundle: str, photos: list[str]) -> dict[str, dict[str, list[float]]]:
    """Times every way, by turns.

    Args:
        way: ``pillow`` or ``fast``.
        rounds: Passes over the photos after a first one that warms up.
        bundle: See the head of this file.
        photos: Paths of JPEG files.
    """
    if way == "pillow":
        fast_jpeg.usable = lambda: False  # type: ignore[assignment]
    elif not fast_jpeg.usable():
        return {}
    data = []
    for path in photos:
        with open(path, "rb") as file:
            data.append(file.read())
    if "x" in bundle and bundle.replace("x", "").isdigit():
        width, height = map(int, bundle.split("x"))
        spec = InputSpec(height=height, width=width)
        ways: dict[str, Callable[[bytes], Any]] = {
            "Pillow": lambda photo: _by_pillow(photo, (width, height)),
            "snapship": lambda photo: pixels(photo, spec),
        }
        for photo in data:
            if not np.array_equal(ways["Pillow"](photo), ways["snapship"](photo)):
                raise ValueError("Both must give Pillow's pixels. Received: a photo that differs.")
        return _timed(ways, data, rounds)
    opened = Bundle.open(bundle)
    with Classifier(opened, opened.artifact("tflite-int8")) as classifier:
        return _timed({"invoke": _invoke(opened), "answer": classifier.classify}, data, rounds)


def _by_pillow(photo: bytes, size: tuple[int, int]) -> Any:
    with Image.open(io.BytesIO(photo)) as picture:
        return np.asarray(picture.resize(size, Image.Resampling.BILINEAR))


def _invoke(opened: Bundle) -> Callable[[bytes], Any]:
    """LiteRT's interpreter alone, with its input already written."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(opened.model(opened.artifact("tflite-int8"))), num_threads=1)
    interpreter.allocate_tensors()
    taken = interpreter.get_input_details()[0]
    noise = np.random.default_rng(0).integers(0, 256, taken["shape"])
    interpreter.set_tensor(taken["index"], noise.astype(taken["dtype"]))
    return lambda photo: interpreter.invoke()


def _timed(
    ways: dict[str, Callable[[bytes], Any]], data: list[bytes], rounds: int
) -> dict[str, dict[str, list[float]]]:
    clock = {way: np.full(len(data), np.inf) for way in ways}
    cpu = {way: np.full(len(data), np.inf) for way in ways}
    for turn in range(-1, rounds):
        for index, photo in enumerate(data):
            for way, answer in ways.items():
                start, busy = time.perf_counter(), time.process_time()
                answer(photo)
                spent, worked = time.perf_counter() - start, time.process_time() - busy
                # The first round warms up.
                if turn >= 0:
                    clock[way][index] = min(clock[way][index], spent)
                    cpu[way][index] = min(cpu[way][index], worked)
    return {way: {"time": clock[way].tolist(), "CPU time": cpu[way].tolist()} for way in ways}


if __name__ == "__main__":
    json.dump(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]), sys.stdout)
