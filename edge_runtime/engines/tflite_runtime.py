"""TFLite files on tflite-runtime, LiteRT's small and last-of-its-line predecessor.

Ten times smaller to install and as fast on float files. Its last version (2.14, of 2023)
knows neither NumPy 2 nor Python 3.12, nor the operations of newer dynamic-range files, and
runs int8 files without the fast kernels: hence float files only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.common.errors import EnvironmentMissingError, UsageError
from edge_runtime.engines.litert import TfliteEngine, source_of
from edge_runtime.engines.selection import ENGINES

INT8_SLOWDOWN = 12
"""MobileNetV2 224 int8 on one x86 core: 42 ms, in LiteRT 3.5."""

_OTHER_CURE = "Pass --artifact tflite-fp32, or run: pip install ai-edge-litert"


class TfliteRuntimeEngine(TfliteEngine):
    """A float TFLite file in tflite-runtime."""

    name = "tflite-runtime"

    def __init__(self, model: Path | bytes, name: str, threads: int) -> None:
        """Loads the file.

        Args:
            model: A path, which is memory-mapped, or the file's bytes.
            name: The file's name, for messages.
            threads: Threads per inference.

        Raises:
            EnvironmentMissingError: tflite-runtime is not installed, or not for this NumPy.
            ModelFileError: The interpreter refuses the file, or it is no image classifier.
            UsageError: The file is quantized.
        """
        try:
            from tflite_runtime.interpreter import Interpreter
        except (ImportError, AttributeError) as error:
            raise EnvironmentMissingError(
                f"Running {name} on tflite-runtime needs that package. Received: it does not load "
                f"({type(error).__name__}). Run: {ENGINES[self.name].install}"
            ) from error

        def new_interpreter(model: Path | bytes, threads: int) -> Any:
            return Interpreter(**source_of(model), num_threads=threads)

        super().__init__(new_interpreter, self.name, model, name, threads)
        if any(_quantized(detail) for detail in self._interpreter.get_tensor_details()):
            self.close()
            raise UsageError(
                f"tflite-runtime runs float artifacts only, int8 would be {INT8_SLOWDOWN} times slower than in "
                f"LiteRT. Received: {name}, which is quantized. {_OTHER_CURE}"
            )

    def _cure(self, reason: str) -> str:
        # An operation's version that it does not know: the file is good, the interpreter is old.
        return _OTHER_CURE if "op for builtin" in reason else "Export it again."


def _quantized(detail: dict[str, Any]) -> bool:
    """Whether a tensor holds quantized numbers; a float file's integers are shapes and axes."""
    integer = np.issubdtype(np.dtype(detail["dtype"]), np.integer)
    return integer and len(detail["quantization_parameters"]["scales"]) > 0
