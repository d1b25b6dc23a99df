"""TFLite files on LiteRT's classic ``Interpreter``.

Never ``CompiledModel``: it holds the GIL and ends the process on a damaged file.
"""

from __future__ import annotations

from pathlib import Path

from edge_runtime.engines.tflite import TfliteEngine
from edge_runtime.errors import EnvironmentMissingError


class LiteRtEngine(TfliteEngine):
    """A TFLite file in LiteRT."""

    name = "litert"

    def __init__(self, model: Path | bytes, name: str, threads: int) -> None:
        """Loads the file.

        Args:
            model: A path, which is memory-mapped, or the file's bytes.
            name: The file's name, for messages.
            threads: Threads per inference.

        Raises:
            EnvironmentMissingError: ai-edge-litert is not installed.
            ModelFileError: The interpreter refuses the file, or it is no image classifier.
        """
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise EnvironmentMissingError.of_extra("Running a .tflite file", "ai-edge-litert", "") from error
        super().__init__(Interpreter, "LiteRT", model, name, threads)
