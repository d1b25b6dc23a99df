"""TFLite files on a classic ``Interpreter``, whose interface its packages share, and on LiteRT's.

Never LiteRT's ``CompiledModel``: it holds the GIL and ends the process on a damaged file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundle.manifest import TensorSpec
from edge_runtime.common.errors import EnvironmentMissingError, ModelFileError, first_line
from edge_runtime.engines.base import (
    check_extra_output,
    check_image_input,
    check_score_output,
    check_tensors,
    no_output,
    refused_run,
    supported_dtype,
)
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array


def source_of(model: Path | bytes) -> dict[str, Any]:
    """The argument of ``Interpreter`` for a file.

    Args:
        model: A path or the file's bytes.
    """
    return {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}


class TfliteEngine:
    """A TFLite file, loaded.

    Attributes:
        name: The engine's name, set by each interpreter's own class.
        input: Its input tensor.
        output: Its first output tensor, the scores.
        outputs: Its further outputs.
    """

    name: str

    def __init__(
        self,
        new_interpreter: Callable[[Path | bytes, int], Any],
        maker: str,
        model: Path | bytes,
        name: str,
        threads: int,
    ) -> None:
        """Loads the file.

        Args:
            new_interpreter: Model and threads -> a package's ``Interpreter``, not yet allocated.
            maker: What people call it, for messages.
            model: A path, which is memory-mapped, or the file's bytes.
            name: The file's name, for messages.
            threads: Threads per inference.

        Raises:
            ModelFileError: The interpreter refuses the file, or it is no image classifier.
        """
        self._file = name
        try:
            self._interpreter: Any = new_interpreter(model, threads)
            self._interpreter.allocate_tensors()
            inputs = self._interpreter.get_input_details()
            outputs = self._interpreter.get_output_details()
        except (ValueError, RuntimeError, MemoryError) as error:
            reason = first_line(error)
            raise ModelFileError(
                f"A .tflite file must load in {maker}. Received: {name} ({reason}). {self._cure(reason)}"
            ) from error
        check_tensors(len(inputs), [str(detail["name"]) for detail in outputs], name)
        self.input = _tensor(inputs[0], name)
        self.output = _tensor(outputs[0], name)
        self.outputs = tuple(_tensor(detail, name) for detail in outputs[1:])
        check_image_input(self.input, name)
        check_score_output(self.output, name)
        for extra in self.outputs:
            check_extra_output(extra, name)
        # The interpreter hands out views of its own memory: no copy, no dictionary per call.
        self._input_view = self._interpreter.tensor(inputs[0]["index"])
        self._output_view = self._interpreter.tensor(outputs[0]["index"])
        self._extra_views = {
            str(detail["name"]): self._interpreter.tensor(detail["index"]) for detail in outputs[1:]
        }

    def run(self, pixels: UInt8Array) -> Float32Array:
        """Scores one image; see :class:`~edge_runtime.engines.base.Engine`."""
        self._input_view()[0] = pixels
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise refused_run(self._file, error) from error
        scores: Float32Array = self._output_view()[0].copy()
        return scores

    def run_with(self, pixels: UInt8Array, output: str) -> tuple[Float32Array, Float32Array]:
        """Scores one image and returns a further output; see :class:`~edge_runtime.engines.base.Engine`."""
        if output not in self._extra_views:
            raise no_output(output, self._file, self.outputs)
        scores = self.run(pixels)
        extra: Float32Array = self._extra_views[output]().flatten()
        return scores, extra

    def close(self) -> None:
        """Releases the interpreter."""
        self._interpreter = self._input_view = self._output_view = None
        self._extra_views = {}

    def _cure(self, reason: str) -> str:
        return "Export it again."


def _tensor(detail: dict[str, Any], name: str) -> TensorSpec:
    dtype = supported_dtype(np.dtype(detail["dtype"]).name, name)
    scale, zero_point = detail["quantization"]
    quantized = dtype == "uint8"
    return TensorSpec(
        name=str(detail["name"]),
        dtype=dtype,
        shape=tuple(int(size) for size in detail["shape"]),
        scale=float(scale) if quantized else None,
        zero_point=int(zero_point) if quantized else None,
    )


def new_interpreter(
    model: Path | bytes,
    threads: int,
    *,
    plain_kernels: bool = False,
    reference_kernels: bool = False,
    all_tensors: bool = False,
) -> Any:
    """LiteRT's interpreter for a file, its tensors not yet allocated.

    Args:
        model: A path, which is memory-mapped, or the file's bytes.
        threads: Threads per inference.
        plain_kernels: Leave XNNPACK out, which runs whole parts of the graph at once.
        reference_kernels: Use the kernels that define each operation; implies ``plain_kernels``.
        all_tensors: Keep every tensor readable after a run; implies ``plain_kernels``.

    Raises:
        ImportError: ai-edge-litert is not installed.
        ValueError: LiteRT refuses the file.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    if not plain_kernels and not reference_kernels and not all_tensors:
        return Interpreter(**source_of(model), num_threads=threads)
    kernels = (
        OpResolverType.BUILTIN_REF if reference_kernels else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    from edge_runtime.common.native_output import quiet

    with quiet():
        return Interpreter(
            **source_of(model),
            num_threads=threads,
            experimental_op_resolver_type=kernels,
            experimental_preserve_all_tensors=all_tensors,
        )


class LiteRtEngine(TfliteEngine):
    """A TFLite file in LiteRT."""

    name = "litert"
    _reference = False

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
        new = partial(new_interpreter, reference_kernels=self._reference)
        try:
            super().__init__(new, "LiteRT", model, name, threads)
        except ImportError as error:
            raise EnvironmentMissingError.of_extra("Running a .tflite file", "ai-edge-litert", "") from error


class LiteRtReferenceEngine(LiteRtEngine):
    """A TFLite file on LiteRT's reference kernels: slow, and what TensorFlow Lite Micro computes."""

    name = "litert, reference kernels"
    _reference = True
