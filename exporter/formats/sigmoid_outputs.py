"""Outputs other than one score per class: a single sigmoid, or one sigmoid per class.

Both are in 0..1, as scores are. A softmax over them, as over logits, would silently give wrong
scores, most of them close to each other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.formats.model_files import parse_onnx

End = Literal["sigmoid", "linear", "other", "unknown"]
"""A model's last operation: one sigmoid per output, unbounded numbers, or something else."""

_SIGMOIDS = {"sigmoid", "hardsigmoid", "qlinearsigmoid", "logistic"}
_LINEAR = {
    *("gemm", "matmul", "add", "conv", "qgemm", "qlinearmatmul", "qlinearadd", "qlinearconv"),
    *("fullyconnected", "conv2d", "linear", "mean", "reducemean", "reducemax"),
    *("globalaveragepool", "globalmaxpool", "averagepool2d", "maxpool2d"),
    *("globalaveragepooling2d", "globalmaxpooling2d"),
}
_PASSING = {
    *("identity", "reshape", "squeeze", "unsqueeze", "flatten", "cast", "transpose"),
    *("quantizelinear", "dequantizelinear", "quantize", "dequantize"),
}


def end_of(operation: str) -> End:
    """Classifies a last operation by its name in Keras, ONNX or TFLite.

    Args:
        operation: For example ``Sigmoid``, ``LOGISTIC`` or ``hard_sigmoid``.
    """
    name = operation.replace("_", "").lower()
    return "sigmoid" if name in _SIGMOIDS else "linear" if name in _LINEAR else "other"


def keras_end(model: Any) -> End:
    """The last operation of a Keras model.

    Args:
        model: A functional or sequential model with one output.
    """
    try:
        operation = model.outputs[0]._keras_history.operation
        while hasattr(operation, "outputs") and hasattr(operation, "layers"):
            operation = operation.outputs[0]._keras_history.operation
        activation = getattr(operation, "activation", None)
        return end_of(getattr(activation, "__name__", None) or type(operation).__name__)
    except (AttributeError, IndexError, TypeError):
        return "unknown"


def onnx_end(path: Path) -> End:
    """The last operation of an .onnx file.

    Args:
        path: The file.

    Raises:
        EnvironmentMissingError: onnx is not installed.
        ModelFileError: It is damaged.
    """
    graph = parse_onnx(path).graph
    makers = {name: node for node in graph.node for name in node.output}
    name = graph.output[0].name if graph.output else ""
    while name in makers and makers[name].op_type.lower() in _PASSING:
        name = makers[name].input[0]
    return end_of(makers[name].op_type) if name in makers else "unknown"


def tflite_end(data: bytes) -> End:
    """The last operation of a .tflite file.

    Args:
        data: The file.
    """
    from ai_edge_litert import schema_py_generated as schema

    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    try:
        model = schema.Model.GetRootAs(data, 0)
        graph = model.Subgraphs(0)
        makers: dict[int, tuple[str, Any]] = {}
        for operator in map(graph.Operators, range(graph.OperatorsLength())):
            code = model.OperatorCodes(operator.OpcodeIndex())
            kind = names.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "")
            makers.update((place, (kind, operator)) for place in operator.OutputsAsNumpy().tolist())
        place = int(graph.Outputs(0))
        while place in makers and makers[place][0].lower() in _PASSING:
            place = int(makers[place][1].Inputs(0))
        return end_of(makers[place][0]) if place in makers else "unknown"
    except (AttributeError, TypeError, ValueError, IndexError):
        return "unknown"


def probes(shape: tuple[int, ...]) -> UInt8Array:
    """A few plain and noisy images that tell scores from logits and sigmoids, uint8 ``[5, ...]``.

    Args:
        shape: Height, width and channels.
    """
    noise = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)
    flat = [np.full((1, *shape), level, dtype=np.uint8) for level in (0, 127, 255)]
    return np.concatenate([*flat, noise])


def refuse_sigmoids(outputs: Float32Array, sums_to_one: bool, end: End, path: Path) -> None:
    """Refuses a model with one sigmoid per class.

    Args:
        outputs: Its outputs on a few images, float32 ``[n, classes]``.
        sums_to_one: Whether they look like scores on these images.
        end: Its last operation.
        path: Its file, for the message.

    Raises:
        ModelFileError: It is such a model.
    """
    inside = outputs.min() >= -1e-4 and outputs.max() <= 1.0 + 1e-4
    if end != "sigmoid" and (sums_to_one or not inside or end == "linear"):
        return
    sums = outputs.astype(np.float64).sum(axis=1)
    what = "each of them a sigmoid" if end == "sigmoid" else "which lie in 0..1"
    raise ModelFileError(
        f"A classifier's scores must sum to 1: one class per image. Received: {path} with {outputs.shape[1]} "
        f"outputs, {what}, with sums of {sums.min():.3g} to {sums.max():.3g}, as for several labels per image. "
        "For one class per image, end the model with a softmax and train it with categorical cross-entropy."
    )


def single_output(path: Path, shape: str) -> ModelFileError:
    """The error for a model with one output, with a way to make it two classes.

    Args:
        path: Its file.
        shape: Its output's sizes.
    """
    return ModelFileError(
        f"A classifier must return one score per class, of two or more. Received: {path} with output {shape}, as "
        "of a single sigmoid. Make two classes of it, of which the second is the one that it scores: "
        "p = model.output; keras.Model(model.input, keras.layers.Concatenate()([1 - p, p])).save('two.keras'), in "
        "PyTorch torch.cat([1 - p, p], 1); of a logit take the sigmoid first."
    )
