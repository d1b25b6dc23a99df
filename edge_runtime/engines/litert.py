"""TFLite files on LiteRT's classic ``Interpreter``.

Never ``CompiledModel``: it holds the GIL and ends the process on a damaged file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_runtime.engines.tflite import TfliteEngine, source_of
from edge_runtime.errors import EnvironmentMissingError


def new_interpreter(
    model: Path | bytes, threads: int, *, plain_kernels: bool = False, all_tensors: bool = False
) -> Any:
    """LiteRT's interpreter of a file, its tensors not yet allocated.

    Args:
        model: A path, which is memory-mapped, or the file's bytes.
        threads: Threads of one inference.
        plain_kernels: Leave XNNPACK out, which runs whole parts of the graph at once.
        all_tensors: Keep every tensor readable after a run; implies ``plain_kernels``.

    Raises:
        ImportError: ai-edge-litert is not installed.
        ValueError: LiteRT refuses the file.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    if not plain_kernels and not all_tensors:
        return Interpreter(**source_of(model), num_threads=threads)
    from edge_runtime.native_output import quiet

    with quiet():
        return Interpreter(
            **source_of(model),
            num_threads=threads,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=all_tensors,
        )


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
            super().__init__(new_interpreter, "LiteRT", model, name, threads)
        except ImportError as error:
            raise EnvironmentMissingError.of_extra("Running a .tflite file", "ai-edge-litert", "") from error
