"""ONNX files on ONNX Runtime's CPU provider, which is imported without its telemetry.

Every import of the package, or of one of its submodules, follows a call of :func:`disable_telemetry` in the
same function; ``tests/test_architecture.py`` checks that.

On Linux the wheels of ONNX Runtime write an identifier of the device and a database of events to
``~/.cache/Microsoft/DeveloperTools/.onnxruntime`` and upload them, from version 1.29 on
(microsoft/onnxruntime pull request 27379; seen in 1.31.1). They do so as soon as the package is
imported, so its function ``disable_telemetry_events()`` comes too late. The environment
variable ``ORT_DISABLE_TELEMETRY`` does not, provided that it is set before the import.
"""

from __future__ import annotations

import os
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

TELEMETRY_SWITCH = "ORT_DISABLE_TELEMETRY"
"""ONNX Runtime's variable: 1 turns its telemetry off, 0 leaves it on."""

_DTYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}
_FATAL_ONLY = 4

EXACT_KERNELS = "session.x64quantprecision"
"""ONNX Runtime's option to store int8 weights as uint8 while it loads, whose kernels add in 32 bits."""


def new_session(model: Path | bytes, threads: int, *, exact: bool = False, as_written: bool = False) -> Any:
    """ONNX Runtime's session for a file, on the CPU.

    Args:
        model: A path, or the file's bytes.
        threads: Threads per inference.
        exact: Use integer kernels that cannot saturate, slower on some CPUs, to compare with.
        as_written: Run the graph as the file has it, without fusing operations.

    Raises:
        EnvironmentMissingError: onnxruntime is not installed.
        Exception: ONNX Runtime refuses the file; its exceptions share no other base class.
    """
    try:
        onnxruntime = load_onnxruntime()
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Running an .onnx file", "onnxruntime", "onnx") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Its warnings would reach stderr; what matters arrives as an exception.
    options.log_severity_level = _FATAL_ONLY
    if exact:
        options.add_session_config_entry(EXACT_KERNELS, "1")
    if as_written:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else str(model),
        options,
        providers=["CPUExecutionProvider"],
        # Its fallback prints to stdout, and there is no other provider to fall back to.
        enable_fallback=0,
    )


def load_session(model: Path | bytes, name: str, threads: int, *, exact: bool = False) -> Any:
    """As :func:`new_session`, with an error for people.

    Args:
        model: A path, or the file's bytes.
        name: The file's name, for messages.
        threads: Threads per inference.
        exact: Use integer kernels that cannot saturate.

    Raises:
        EnvironmentMissingError: onnxruntime is not installed.
        ModelFileError: ONNX Runtime refuses the file.
    """
    try:
        return new_session(model, threads, exact=exact)
    except EnvironmentMissingError:
        raise
    except Exception as error:
        raise ModelFileError(
            f"An .onnx file must load in ONNX Runtime. Received: {name} ({first_line(error)}). Export it again."
        ) from error


class OnnxEngine:
    """An ONNX file, loaded.

    Attributes:
        name: ``onnxruntime``.
        input: Its input tensor.
        output: Its first output tensor, the scores.
        outputs: Its further outputs.
    """

    name = "onnxruntime"

    def __init__(self, model: Path | bytes, name: str, threads: int, *, exact: bool = False) -> None:
        """Loads the file.

        Args:
            model: A path, or the file's bytes.
            name: The file's name, for messages.
            threads: Threads per inference.
            exact: Use integer kernels that cannot saturate, slower on some CPUs, to compare with.

        Raises:
            EnvironmentMissingError: onnxruntime is not installed.
            ModelFileError: ONNX Runtime refuses the file, or it is no image classifier.
        """
        self._file = name
        self._session: Any = load_session(model, name, threads, exact=exact)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        check_tensors(len(inputs), [str(node.name) for node in outputs], name)
        self.input = _tensor(inputs[0], name)
        self.output = _tensor(outputs[0], name)
        self.outputs = tuple(_tensor(node, name) for node in outputs[1:])
        check_image_input(self.input, name)
        check_score_output(self.output, name)
        for extra in self.outputs:
            check_extra_output(extra, name)
        self._dtype = np.dtype(self.input.dtype)
        self._feed_name, self._fetch_names = self.input.name, [self.output.name]

    def run(self, pixels: UInt8Array) -> Float32Array:
        """Scores one image; see :class:`~edge_runtime.engines.base.Engine`."""
        batch = pixels[np.newaxis].astype(self._dtype)
        try:
            scores: Float32Array = self._session.run(self._fetch_names, {self._feed_name: batch})[0][0]
        except Exception as error:
            # As when it loads: no base class but Exception.
            raise refused_run(self._file, error) from error
        return scores

    def run_with(self, pixels: UInt8Array, output: str) -> tuple[Float32Array, Float32Array]:
        """Scores one image and returns a further output; see :class:`~edge_runtime.engines.base.Engine`."""
        if all(entry.name != output for entry in self.outputs):
            raise no_output(output, self._file, self.outputs)
        batch = pixels[np.newaxis].astype(self._dtype)
        try:
            scores, extra = self._session.run([*self._fetch_names, output], {self._feed_name: batch})
        except Exception as error:
            raise refused_run(self._file, error) from error
        return scores[0], extra.reshape(-1)

    def close(self) -> None:
        """Releases the session."""
        self._session = None


def _tensor(node: Any, name: str) -> TensorSpec:
    dtype = supported_dtype(_DTYPES.get(node.type, node.type), name)
    quantized = dtype == "uint8"
    return TensorSpec(
        name=str(node.name),
        dtype=dtype,
        # A nameless dynamic dimension is None here; only the first may be dynamic.
        shape=tuple(size if isinstance(size, int | str) else "batch" for size in node.shape),
        scale=1.0 if quantized else None,
        zero_point=0 if quantized else None,
    )


def disable_telemetry() -> None:
    """Turns ONNX Runtime's telemetry off for this process and those that it starts.

    Without effect where the user has set :data:`TELEMETRY_SWITCH`, to whatever value, or where
    other code of this process has imported onnxruntime already.
    """
    os.environ.setdefault(TELEMETRY_SWITCH, "1")


def load_onnxruntime() -> Any:
    """Imports ONNX Runtime with its telemetry off.

    Returns:
        The package ``onnxruntime``.

    Raises:
        ImportError: It is not installed.
    """
    disable_telemetry()
    import onnxruntime

    return onnxruntime
