"""A float .onnx file that can be calibrated, changed and quantized, by ONNX Runtime's own tools.

``quant_pre_process`` folds operations between convolutions, so that the effective weights are quantized;
then QDQ with per-channel int8 weights and uint8 activations, which run twice as fast on x86 with VNNI
as int8 activations. The grid of the weights is chosen so that the file gives the same answers on every
CPU; see :mod:`exporter.quantize.onnx_saturation`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from edge_runtime.bundle.manifest import Format
from edge_runtime.common.errors import EnvironmentMissingError, first_line
from edge_runtime.common.native_output import quiet
from edge_runtime.common.temporary import temporary_folder
from edge_runtime.engines.onnx import disable_telemetry
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.common.wording import conversion_error
from exporter.formats.half_precision import raw
from exporter.formats.onnx_cleanup import attributes, without_stale_shapes
from exporter.formats.onnx_run import add_outputs, parsed, session_of
from exporter.quantize.bias import corrected, layer_means, mean_maps
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
from exporter.quantize.onnx_layers import (
    activation_of,
    read_geometry,
    read_layers,
    shapes,
    with_unique_names,
    write_layers,
)
from exporter.quantize.onnx_ranges import channels_last, record
from exporter.quantize.onnx_saturation import narrow_scales, with_unsigned_weights
from exporter.quantize.onnx_weights import keep_float, twin_errors
from exporter.quantize.pixel_grid import fold_normalisation, with_uint8_input
from exporter.quantize.recording import fewer

FLOAT_OPERATIONS = ("Softmax",)
"""Operations of an int8 artifact that stay in float: an integer softmax resolves only 1/256."""

_KIND = "onnx-int8"


class OnnxGraph:
    """A float .onnx file, prepared for quantization.

    Attributes:
        data: The prepared file.
        ranges: The calibrated ranges by tensor name; None before calibration.
        fewer: The same graph calibrated with only the first images, by their number.
        narrow: Whether weights give up part of their range; otherwise they are stored as uint8.
    """

    format: Format = "onnx"

    def __init__(self, data: bytes, *, fold: bool = True) -> None:
        """Prepares a float file.

        Args:
            data: An .onnx file: float32 ``[batch, height, width, channels]`` in, 0..255.
            fold: Fold the normalisation into the first convolution, if possible.

        Raises:
            EnvironmentMissingError: onnx or onnxruntime is not installed.
            ModelFileError: ONNX Runtime refuses the model.
        """
        model = _prepared(data)
        self._exact: Ranges = fold_normalisation(model) if fold else {}
        self.data: bytes = model.SerializeToString()
        self.ranges: Ranges | None = None
        self.fewer: Mapping[int, QuantGraph] = {}
        self.narrow = True
        self._seen: dict[str, Float32Array] | None = None

    def layers(self) -> tuple[LinearLayer, ...]:
        """See :class:`QuantGraph`."""
        return read_layers(parsed(self.data))

    def with_layers(self, changed: Mapping[str, LinearLayer]) -> QuantGraph:
        """See :class:`QuantGraph`."""
        model = parsed(self.data)
        before = {layer.name: layer for layer in read_layers(model)}
        write_layers(model, dict(changed))
        same = all(np.array_equal(layer.weights, before[name].weights) for name, layer in changed.items())
        return self._with(model.SerializeToString(), self.ranges if same else None)

    def rounded(self, layer: LinearLayer) -> Float32Array:
        """See :class:`QuantGraph`."""
        return on_grid(layer.weights, narrow_scales(layer.weights) if self._is_narrow(layer) else None)

    def widened(self) -> QuantGraph:
        """See :class:`QuantGraph`."""
        other = self._with(self.data, self.ranges)
        other.narrow = False
        return other

    def calibrated(self, pixels: UInt8Array) -> QuantGraph:
        """See :class:`QuantGraph`."""
        model = parsed(self.data)
        source, layers, geometry = model.graph.input[0].name, read_layers(model), read_geometry(model)
        images = check_images(pixels, shapes(model)[source][1:])  # type: ignore[arg-type]
        found, maps = record(model, images, {layer.input for layer in layers}, _KIND)

        def after(count: int) -> OnnxGraph:
            other = self._with(self.data, {**found.ranges(count), source: INPUT_RANGE, **self._exact})
            other._seen = layer_means(layers, channels_last(maps[count]), geometry)
            return other

        other = after(len(images))
        other.fewer = {count: after(count) for count in fewer(len(images))}
        return other

    def quantized(self, float_ops: Collection[str] = ()) -> bytes:
        """See :class:`QuantGraph`."""
        disable_telemetry()
        from onnxruntime.quantization.onnx_model import ONNXModel

        graph: Any = self
        if self.narrow and self._seen is not None:
            # A narrow grid rounds more, which shifts the mean of every channel; the biases compensate.
            graph = corrected(self, self._seen, float_ops=float_ops)
        # Narrow grids cover the known layers; any other that could exceed 16 bits is stored as uint8.
        grids = with_unsigned_weights(graph._with_grids(float_ops), everywhere=not self.narrow)
        model = ONNXModel(with_uint8_input(keep_float(grids)))
        # The quantizer appends its nodes, but ONNX requires topological order.
        model.topological_sort()
        data: bytes = without_stale_shapes(model.model).SerializeToString()
        return data

    def tensors(self, pixels: UInt8Array) -> Iterator[dict[str, Float32Array]]:
        """See :class:`QuantGraph`."""
        model = parsed(self.data)
        source = model.graph.input[0]
        images = check_images(pixels, shapes(model)[source.name][1:])  # type: ignore[arg-type]
        names = add_outputs(model)
        session = session_of(model.SerializeToString())
        for image in images:
            batch = raw(image)
            try:
                found = session.run(names, {source.name: batch})
            except Exception as error:
                # ONNX Runtime's exceptions have no common base class but Exception.
                raise conversion_error(_KIND, first_line(error, 300)) from error
            yield {source.name: batch, **dict(zip(names, found, strict=True))}

    def input_means(self, pixels: UInt8Array) -> dict[str, Float32Array]:
        """See :class:`QuantGraph`."""
        model = parsed(self.data)
        layers = read_layers(model)
        maps = mean_maps(self.tensors(pixels), {layer.input for layer in layers})
        return layer_means(layers, channels_last(maps), read_geometry(model))

    def op_errors(self, pixels: UInt8Array) -> tuple[OpError, ...]:
        """See :class:`QuantGraph`."""
        model = parsed(self.data)
        images = check_images(pixels, shapes(model)[model.graph.input[0].name][1:])  # type: ignore[arg-type]
        return twin_errors(model, self._with_grids(()), images)

    def _with(self, data: bytes, ranges: Ranges | None) -> OnnxGraph:
        other = object.__new__(OnnxGraph)
        other.data, other.ranges, other._exact, other.narrow = data, ranges, self._exact, self.narrow
        other.fewer = {}
        # Means belong to the calibration and are valid as long as its ranges.
        other._seen = None if ranges is None else self._seen
        return other

    def _is_narrow(self, layer: LinearLayer) -> bool:
        """Whether a layer gives up range: depthwise layers need not, they add no neighbours."""
        return self.narrow and not (layer.op == "depthwise" and layer.groups == len(layer.weights))

    def _weight_grids(self, model: Any) -> dict[str, list[dict[str, Any]]]:
        """The narrow scales in the format of the quantizer; empty if it may use the full range."""
        nodes = {node.name: node for node in model.graph.node}
        found: dict[str, list[dict[str, Any]]] = {}
        for layer in filter(self._is_narrow, read_layers(model)):
            node = nodes[layer.name]
            axis = 0 if node.op_type == "Conv" or attributes(node).get("transB") else 1
            found[node.input[1]] = [
                {"axis": axis, "scale": scale, "zero_point": np.int8(0)}
                for scale in narrow_scales(layer.weights)
            ]
        return found

    def _with_grids(self, float_ops: Collection[str]) -> Any:
        """The QDQ model, still with a float input."""
        ranges = calibrated_ranges(self)
        disable_telemetry()
        from onnxruntime.quantization import CalibrationMethod, QuantType
        from onnxruntime.quantization.calibrate import TensorsData
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
        from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

        model = parsed(self.data)
        left_out = [node.name for node in model.graph.node if node.op_type in FLOAT_OPERATIONS]
        left_out += _with_activations(model, float_ops)
        spans = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
        try:
            with _silent():
                quantizer = QDQQuantizer(
                    model,
                    per_channel=True,
                    reduce_range=False,
                    weight_qType=QuantType.QInt8,
                    activation_qType=QuantType.QUInt8,
                    tensors_range=TensorsData(CalibrationMethod.MinMax, spans),
                    nodes_to_quantize=[],
                    nodes_to_exclude=left_out,
                    op_types_to_quantize=sorted({*QLinearOpsRegistry, *QDQRegistry} - set(FLOAT_OPERATIONS)),
                    extra_options={"TensorQuantOverrides": self._weight_grids(model)},
                )
                quantizer.quantize_model()
        except Exception as error:
            # The quantizer raises KeyError, RuntimeError and others of the graph that it walks.
            raise conversion_error(_KIND, first_line(error, 300)) from error
        return quantizer.model.model


def _with_activations(model: Any, names: Collection[str]) -> list[str]:
    """Operations and the activations behind them, which the quantizer would otherwise quantize alone."""
    found = []
    for node in [node for node in model.graph.node if node.name in names]:
        activation = activation_of(model, node.output[0])
        found += [node.name] if activation is None else [node.name, activation.name]
    return found


def _prepared(data: bytes) -> Any:
    disable_telemetry()
    try:
        import onnx
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Quantizing an .onnx file", "onnxruntime", "export") from error
    try:
        with _silent(), temporary_folder() as folder:
            # Through files: given a model in memory, the tool loses its constants (ONNX Runtime 1.31).
            source, target = folder / "float.onnx", folder / "prepared.onnx"
            source.write_bytes(data)
            quant_pre_process(str(source), str(target), skip_symbolic_shape=True)
            model = onnx.load(target)
    except Exception as error:
        # ONNX Runtime's exceptions have no common base class but Exception.
        raise conversion_error(_KIND, first_line(error, 300)) from error
    used = {node.domain for node in model.graph.node}
    kept = [entry for entry in model.opset_import if entry.domain == "" or entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return with_unique_names(model)


@contextmanager
def _silent() -> Iterator[None]:
    """Drops the quantizer's log lines: they warn about choices that are deliberate here."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.CRITICAL)
    try:
        with quiet():
            yield
    finally:
        root.setLevel(level)
