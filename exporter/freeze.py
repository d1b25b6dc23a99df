"""A full model as one graph without variables, which every artifact is made from."""

from __future__ import annotations

from typing import Any

from edge_runtime.errors import ModelFileError, first_line
from edge_runtime.native_output import quiet
from exporter.backend import load_tensorflow
from exporter.flatbuffer import INPUT_NAME, OUTPUT_NAME
from exporter.reasons import outside_operations
from exporter.source import FullModel


def freeze(model: FullModel, batch: int | None = 1) -> Any:
    """Traces the model for inference and turns its weights into constants.

    The batch is fixed because LiteRT.js and MediaPipe refuse a dynamic one; weights become constants
    because the quantizer's calibration cannot read variables.

    Args:
        model: The full model.
        batch: Images at a time; None leaves it open, for servers.

    Returns:
        A concrete function, float32 ``[batch, height, width, channels]`` -> ``[batch, classes]``.

    Raises:
        ModelFileError: The model cannot be traced or frozen.
    """
    tensorflow = load_tensorflow()
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = tensorflow.TensorSpec((batch, *model.input.shape), tensorflow.float32, name=INPUT_NAME)

    def scores(image: Any) -> Any:
        return tensorflow.identity(model.call(image), name=OUTPUT_NAME)

    try:
        with quiet():
            traced = tensorflow.function(scores, input_signature=[signature], autograph=False)
            concrete = traced.get_concrete_function()
    except Exception as error:
        # Any layer may raise anything.
        raise ModelFileError(
            f"A full model must run on one image. Received: an error of {first_line(error)}. Fix the model."
        ) from error
    outside = outside_operations(concrete.graph)
    if outside:
        raise ModelFileError(
            f"A full model must be arithmetic on tensors. Received: {outside}: a lookup table, random numbers "
            "or Python code. Replace it, or move it out of the model."
        )
    try:
        with quiet():
            return convert_variables_to_constants_v2(concrete, aggressive_inlining=True)
    except (ValueError, TypeError, NotImplementedError, AttributeError, tensorflow.errors.OpError) as error:
        raise ModelFileError(
            f"A full model's weights must become constants. Received: {first_line(error)}. Fix the model."
        ) from error
