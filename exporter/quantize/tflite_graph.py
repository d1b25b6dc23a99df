"""A float .tflite file that can be calibrated, changed and quantized without converting it again.

The ranges come from TensorFlow's own calibrator, run on the float file: bit for bit the result of
converting again with a representative data set.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from edge_runtime.bundle.manifest import Format
from edge_runtime.common.errors import first_line
from edge_runtime.common.native_output import quiet
from edge_runtime.engines.litert import new_interpreter
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.common.backend import load_tensorflow
from exporter.common.wording import conversion_error
from exporter.formats.flatbuffer import name_tensors, packed, parsed
from exporter.formats.half_precision import raw
from exporter.quantize.bias import layer_means, mean_maps
from exporter.quantize.calibration import check_images
from exporter.quantize.graph import (
    INPUT_RANGE,
    LinearLayer,
    OpError,
    QuantGraph,
    Ranges,
    calibrated_ranges,
    on_grid,
)
from exporter.quantize.recording import fewer
from exporter.quantize.tflite_layers import (
    fold_normalisation,
    name_of,
    read_geometry,
    read_layers,
    with_unique_names,
    write_layers,
)
from exporter.quantize.tflite_ranges import record

FLOAT_OPERATIONS = ("SOFTMAX",)
"""Operations of an int8 artifact that stay in float: an integer softmax resolves only 1/256."""

_KIND = "tflite-int8"


class TfliteGraph:
    """A float .tflite file.

    Attributes:
        data: The file.
        ranges: The calibrated ranges by tensor name; None before calibration.
        fewer: The same graph calibrated with only the first images, by their number.
        narrow: False: LiteRT's kernels add in 32 bits on every CPU.
    """

    format: Format = "tflite"
    narrow = False

    def __init__(self, data: bytes, *, fold: bool = True) -> None:
        """Reads a float file.

        Args:
            data: A .tflite file: float32 ``[1, height, width, channels]`` in, 0..255.
            fold: Fold the normalisation into the first convolution, if possible.
        """
        model = with_unique_names(parsed(data))
        self._exact: Ranges = fold_normalisation(model) if fold else {}
        self.data = packed(model)
        self.ranges: Ranges | None = None
        self.fewer: Mapping[int, QuantGraph] = {}

    def layers(self) -> tuple[LinearLayer, ...]:
        """See :class:`QuantGraph`."""
        return read_layers(parsed(self.data))

    def with_layers(self, changed: Mapping[str, LinearLayer]) -> QuantGraph:
        """See :class:`QuantGraph`."""
        model = parsed(self.data)
        before = {layer.name: layer for layer in read_layers(model)}
        write_layers(model, dict(changed))
        same = all(np.array_equal(layer.weights, before[name].weights) for name, layer in changed.items())
        return self._with(packed(model), self.ranges if same else None)

    def rounded(self, layer: LinearLayer) -> Float32Array:
        """See :class:`QuantGraph`."""
        return on_grid(layer.weights)

    def widened(self) -> QuantGraph:
        """See :class:`QuantGraph`."""
        return self

    def calibrated(self, pixels: UInt8Array) -> QuantGraph:
        """See :class:`QuantGraph`."""
        images = check_images(pixels, self._input_shape())
        found, graph = record(self.data, images, _KIND), parsed(self.data).subgraphs[0]
        known = {name_of(graph, graph.inputs[0]): INPUT_RANGE, **self._exact}
        other = self._with(self.data, {**found.ranges(), **known})
        other.fewer = {
            count: self._with(self.data, {**found.ranges(count), **known}) for count in fewer(len(images))
        }
        return other

    def quantized(self, float_ops: Collection[str] = ()) -> bytes:
        """See :class:`QuantGraph`."""
        tensorflow = load_tensorflow()
        return name_tensors(
            self._mlir_quantized(
                input_data_type=tensorflow.uint8,
                output_data_type=tensorflow.float32,
                denylisted_nodes=sorted(float_ops),
            )
        )

    def tensors(self, pixels: UInt8Array) -> Iterator[dict[str, Float32Array]]:
        """See :class:`QuantGraph`."""
        images = check_images(pixels, self._input_shape())
        interpreter, watched = self._interpreter()
        place = interpreter.get_input_details()[0]["index"]
        for image in images:
            interpreter.set_tensor(place, raw(image))
            interpreter.invoke()
            yield {name: interpreter.get_tensor(index) for name, index in watched.items()}

    def input_means(self, pixels: UInt8Array) -> dict[str, Float32Array]:
        """See :class:`QuantGraph`."""
        model = parsed(self.data)
        layers = read_layers(model)
        maps = mean_maps(self.tensors(pixels), {layer.input for layer in layers})
        return layer_means(layers, maps, read_geometry(model))

    def op_errors(self, pixels: UInt8Array) -> tuple[OpError, ...]:
        """See :class:`QuantGraph`."""
        tensorflow = load_tensorflow()
        images = check_images(pixels, self._input_shape())
        instrumented = self._mlir_quantized(enable_numeric_verify=True)
        with quiet():
            debugger = tensorflow.lite.experimental.QuantizationDebugger(
                quant_debug_model_content=instrumented,
                debug_dataset=lambda: ([raw(image)] for image in images),
            )
            debugger.run()
        table = io.StringIO()
        debugger.layer_statistics_dump(table)
        table.seek(0)
        found = []
        for row in csv.DictReader(table):
            error, scale = float(row["mean_squared_error"]) ** 0.5, float(row["scale"])
            if np.isfinite(error) and scale > 0.0:
                found.append(OpError(row["tensor_name"], error / scale))
        return tuple(sorted(found, key=lambda entry: -entry.error))

    def _with(self, data: bytes, ranges: Ranges | None) -> TfliteGraph:
        other = object.__new__(TfliteGraph)
        other.data, other.ranges, other._exact, other.fewer = data, ranges, self._exact, {}
        return other

    def _input_shape(self) -> tuple[int, ...]:
        graph = parsed(self.data).subgraphs[0]
        return tuple(int(size) for size in graph.tensors[graph.inputs[0]].shape[1:])

    def _with_ranges(self) -> bytes:
        """The float file with the ranges where mlir_quantize expects them."""
        from tensorflow.lite.python.schema_py_generated import QuantizationParametersT

        ranges, model = calibrated_ranges(self), parsed(self.data)
        for tensor in model.subgraphs[0].tensors:
            span = ranges.get(tensor.name.decode())
            if span is not None:
                tensor.quantization = tensor.quantization or QuantizationParametersT()
                tensor.quantization.min = np.array([span[0]], dtype=np.float32)
                tensor.quantization.max = np.array([span[1]], dtype=np.float32)
        return packed(model)

    def _mlir_quantized(self, **options: Any) -> bytes:
        load_tensorflow()
        from tensorflow.lite.python.convert import mlir_quantize

        try:
            with quiet():
                data: bytes = mlir_quantize(
                    self._with_ranges(), denylisted_ops=list(FLOAT_OPERATIONS), **options
                )
        except (RuntimeError, ValueError) as error:
            raise conversion_error(_KIND, first_line(error, 300)) from error
        return data

    def _interpreter(self) -> tuple[Any, dict[str, int]]:
        """An interpreter that keeps every tensor, and the indices of inputs and operation outputs by name."""
        try:
            with quiet():
                interpreter = new_interpreter(self.data, min(4, os.cpu_count() or 1), all_tensors=True)
                interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise conversion_error(_KIND, first_line(error, 300)) from error
        from tensorflow.lite.python.schema_py_generated import TensorType

        graph = parsed(self.data).subgraphs[0]
        places = [*graph.inputs, *(index for operator in graph.operators for index in operator.outputs)]
        kept = [int(place) for place in places if graph.tensors[place].type == TensorType.FLOAT32]
        return interpreter, {name_of(graph, place): place for place in kept}
