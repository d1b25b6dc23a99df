"""TFLite files, and C headers of them, on TensorFlow Lite Micro: a microcontroller's kernels, on this machine.

Its package holds the portable kernels that a microcontroller runs unless its maker replaces them. They
give the scores of LiteRT's reference kernels, which differ from those of XNNPACK by some hundredths on an
int8 file: whoever replays golden examples compares with :func:`open_reference`. Slow; never chosen by itself.

It trusts its file: a damaged one can end the process. A bundle's files are verified before it sees them.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundle.manifest import TensorSpec
from edge_runtime.common.errors import EnvironmentMissingError, ModelFileError, first_line
from edge_runtime.common.native_output import quiet
from edge_runtime.engines.base import (
    EXTRA_OUTPUTS,
    check_extra_output,
    check_image_input,
    check_score_output,
    check_tensors,
    no_output,
    refused_run,
    supported_dtype,
)
from edge_runtime.engines.c_header import IDENTIFIER, tflite_in
from edge_runtime.engines.litert import LiteRtReferenceEngine
from edge_runtime.engines.result import Float32Array
from edge_runtime.engines.selection import ENGINES
from edge_runtime.image.preprocess import UInt8Array

ARENA_STEP = 16
"""Bytes; the alignment of a tensor arena, and the precision of :func:`arena_bytes`."""

_AMPLE = 64 * 1024 * 1024
"""Bytes on top of ten times the file: memory that is not touched costs nothing here."""

_REFUSALS = (RuntimeError, ValueError, TypeError, AttributeError, IndexError, MemoryError, struct.error)
"""What its flatbuffer reader, written in Python, and its interpreter raise on a file that they refuse."""


class TfliteMicroEngine:
    """A TFLite file in TensorFlow Lite Micro.

    Attributes:
        name: The engine's name.
        input: The file's input tensor.
        output: Its first output tensor, the scores.
        outputs: Its further outputs.
    """

    name = "tflite-micro"

    def __init__(self, model: Path | bytes, name: str, threads: int) -> None:
        """Loads the file.

        Args:
            model: A path or the file's bytes: a .tflite file, or a header with one.
            name: The file's name, for messages.
            threads: Unused: a microcontroller has one.

        Raises:
            EnvironmentMissingError: tflite-micro is not installed.
            ModelFileError: The interpreter refuses the file, or it is no image classifier.
        """
        self._file = name
        data = content(model)
        try:
            self._interpreter: Any = _interpreter(data, 10 * len(data) + _AMPLE)
            taken, given = self._interpreter.get_input_details(0), self._interpreter.get_output_details(0)
            inputs = 1 + len(_after_first(self._interpreter.get_input_details, 1))
            # It knows no names: what follows the scores is what an export adds, in that order.
            extra = _after_first(self._interpreter.get_output_details, 1 + len(EXTRA_OUTPUTS))
        except ImportError as error:
            raise EnvironmentMissingError(
                f"Running {name} on {self.name} needs that package. Received: it does not load. "
                f"Run: {ENGINES[self.name].install}"
            ) from error
        except _REFUSALS as error:
            raise ModelFileError(
                "A .tflite file must load in TensorFlow Lite Micro, which takes int8, int16x8 and float32 files. "
                f"Received: {name} ({first_line(error)}). Pass --artifact tflite-int8; SNAPSHIP_DEBUG=1 shows "
                "its own words."
            ) from error
        names = ("scores", *EXTRA_OUTPUTS, "")[: 1 + len(extra)]
        check_tensors(inputs, names, name)
        self.input = _tensor(taken, "image", name)
        self.output = _tensor(given, "scores", name)
        self.outputs = tuple(
            _tensor(detail, role, name) for detail, role in zip(extra, names[1:], strict=True)
        )
        check_image_input(self.input, name)
        check_score_output(self.output, name)
        for tensor in self.outputs:
            check_extra_output(tensor, name)

    def run(self, pixels: UInt8Array) -> Float32Array:
        """Scores one image; see :class:`~edge_runtime.engines.base.Engine`."""
        try:
            self._interpreter.set_input(pixels[np.newaxis].astype(self.input.dtype), 0)
            self._interpreter.invoke()
        except RuntimeError as error:
            raise refused_run(self._file, error) from error
        scores: Float32Array = self._interpreter.get_output(0)[0].copy()
        return scores

    def run_with(self, pixels: UInt8Array, output: str) -> tuple[Float32Array, Float32Array]:
        """Scores one image and returns a further output; see :class:`~edge_runtime.engines.base.Engine`."""
        place = next((place for place, entry in enumerate(self.outputs, 1) if entry.name == output), 0)
        if not place:
            raise no_output(output, self._file, self.outputs)
        scores = self.run(pixels)
        extra: Float32Array = self._interpreter.get_output(place).flatten()
        return scores, extra

    def close(self) -> None:
        """Releases the interpreter."""
        self._interpreter = None


def content(model: Path | bytes) -> bytes:
    """The .tflite file's bytes, taken out of a header if it is one.

    Args:
        model: A path or the file's bytes.

    Raises:
        ModelFileError: It is neither a .tflite file nor a header with one.
    """
    data = model if isinstance(model, bytes) else model.read_bytes()
    return data if data[4:8] == IDENTIFIER else tflite_in(data)


def open_reference(model: Path | bytes, name: str) -> LiteRtReferenceEngine:
    """The engine whose scores a microcontroller must give.

    Args:
        model: A path or the file's bytes: a .tflite file, or a header with one.
        name: The file's name, for messages.

    Raises:
        EnvironmentMissingError: ai-edge-litert is not installed.
        ModelFileError: It refuses the file.
    """
    return LiteRtReferenceEngine(content(model), name, 1)


def arena_bytes(model: bytes) -> int | None:
    """Measures the smallest tensor arena that a model runs in.

    Pointers of this machine take eight bytes, a microcontroller's four, so that it needs less; kernels of
    a chip's maker, such as CMSIS-NN, may add buffers of their own.

    Args:
        model: A .tflite file.

    Returns:
        Bytes, a multiple of :data:`ARENA_STEP`; None if the model does not run here.
    """
    with quiet():
        # In steps; the first is known to fail, the second to suffice.
        low, high = 0, (10 * len(model) + _AMPLE) // ARENA_STEP
        if not _fits(model, high * ARENA_STEP):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if _fits(model, middle * ARENA_STEP) else (middle, high)
        # Everything is allocated before the first run; once, that is tried too.
        return high * ARENA_STEP if _fits(model, high * ARENA_STEP, run=True) else None


def _fits(model: bytes, arena: int, *, run: bool = False) -> bool:
    try:
        interpreter = _interpreter(model, arena)
        if run:
            taken = interpreter.get_input_details(0)
            interpreter.set_input(np.zeros(taken["shape"], taken["dtype"]), 0)
            interpreter.invoke()
    except (ImportError, *_REFUSALS):
        return False
    return True


def _interpreter(model: bytes, arena: int) -> Any:
    from tflite_micro import runtime

    return runtime.Interpreter.from_bytes(model, arena_size=arena)


def _after_first(details: Any, most: int) -> list[dict[str, Any]]:
    """The tensors after the first, up to a number of them."""
    found: list[dict[str, Any]] = []
    with quiet():
        while len(found) < most:
            try:
                found.append(details(1 + len(found)))
            except IndexError:
                break
    return found


def _tensor(detail: dict[str, Any], role: str, name: str) -> TensorSpec:
    dtype = supported_dtype(np.dtype(detail["dtype"]).name, name)
    steps = detail["quantization_parameters"]
    quantized = dtype == "uint8" and len(steps["scales"]) == 1
    return TensorSpec(
        name=role,
        dtype=dtype,
        shape=tuple(int(size) for size in detail["shape"]),
        scale=float(steps["scales"][0]) if quantized else None,
        zero_point=int(steps["zero_points"][0]) if quantized else None,
    )
