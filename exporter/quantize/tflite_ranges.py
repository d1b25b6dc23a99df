"""The ranges that TensorFlow's Calibrator finds in a float .tflite file, to the bit, on all cores.

The Calibrator itself holds the GIL, reads every tensor three times, value by value, and takes a second pass
for fewer images. Two of its habits decide the numbers, and so the int8 files:

- Its kernels are those of TensorFlow's interpreter without delegates, on Eigen's four threads, whatever the
  machine: another number splits the sums of a convolution differently, and changes last bits.
- It reads the inputs of an operation once more after it ran. Where the operation has written its output over
  an input, as an addition does, that input's range covers the output too. This is seen in the memory plan
  of an interpreter that does not keep all tensors.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from edge_runtime.common.errors import first_line
from edge_runtime.common.native_output import quiet
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.common.backend import load_tensorflow
from exporter.common.in_order import in_order
from exporter.common.wording import conversion_error
from exporter.formats.flatbuffer import parsed
from exporter.formats.half_precision import raw
from exporter.quantize.recording import Recording, workers
from exporter.quantize.tflite_layers import name_of

_THREADS = 4
"""Eigen's default pool, which the Calibrator uses."""

_NOT_A_NUMBER = "NaN on a calibration image"


def record(data: bytes, images: UInt8Array, kind: str) -> Recording:
    """Runs the images.

    Args:
        data: A float .tflite file.
        images: uint8 ``[n, height, width, channels]``, at least one.
        kind: The artifact's kind, for messages.

    Raises:
        ModelFileError: The file does not run, or gives NaN.
    """
    try:
        plan = _places(data)
        runners = [_runner(data, plan) for _ in range(workers(len(images)))]
        names = tuple(plan)
        found = Recording.of(names, in_order(runners, images))
    except (RuntimeError, ValueError) as error:
        raise conversion_error(kind, first_line(error, 300)) from error
    if np.isnan(found.lows).any() or np.isnan(found.highs).any():
        raise conversion_error(kind, _NOT_A_NUMBER)
    return found


def _places(data: bytes) -> dict[str, list[int]]:
    """The float tensors that operations make, by name, each with what the Calibrator sees in its place."""
    from tensorflow.lite.python.schema_py_generated import TensorType

    graph = parsed(data).subgraphs[0]
    planned = _interpreter(data, keep=False)
    made = [
        (operator, int(place))
        for operator in graph.operators
        for place in operator.outputs
        if graph.tensors[place].type == TensorType.FLOAT32
    ]
    seen = {place: [place] for _, place in made}
    for operator, output in made:
        for place in map(int, operator.inputs):
            if place in seen and _address(planned, place) == _address(planned, output):
                seen[place].append(output)
    return {name_of(graph, place): places for place, places in seen.items()}


def _address(interpreter: Any, place: int) -> int:
    """Where a tensor will be; for one whose size is known only when it runs, a place of its own."""
    try:
        address: int = interpreter.tensor(place)().__array_interface__["data"][0]
    except ValueError:
        return -1 - place
    return address


def _interpreter(data: bytes, *, keep: bool) -> Any:
    lite = load_tensorflow().lite
    kernels = lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    # It warns that TensorFlow will move it to LiteRT, whose kernels differ in last bits.
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = lite.Interpreter(
            model_content=data,
            num_threads=_THREADS,
            experimental_op_resolver_type=kernels,
            experimental_preserve_all_tensors=keep,
        )
        interpreter.allocate_tensors()
    return interpreter


def _runner(data: bytes, plan: dict[str, list[int]]) -> Callable[[UInt8Array], Float32Array]:
    interpreter = _interpreter(data, keep=True)
    taken = interpreter.get_input_details()[0]["index"]
    # Views of the interpreter's memory: no copies.
    views = {place: interpreter.tensor(place) for places in plan.values() for place in places}

    def run(image: UInt8Array) -> Float32Array:
        interpreter.set_tensor(taken, raw(image))
        interpreter.invoke()
        ends = {place: (view().min(), view().max()) for place, view in views.items()}
        lows = [min(ends[place][0] for place in places) for places in plan.values()]
        highs = [max(ends[place][1] for place in places) for places in plan.values()]
        return np.array([lows, highs], dtype=np.float32)

    return run
