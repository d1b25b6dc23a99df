"""A full model as one graph with a fixed batch of 1: what every TFLite artifact is made from."""

from __future__ import annotations

from typing import Any

from edge_runtime.errors import ModelFileError
from edge_runtime.native_output import quiet
from exporter.backend import load_tensorflow
from exporter.source import FullModel

INPUT_NAME = "image"
OUTPUT_NAME = "scores"


def freeze(model: FullModel) -> Any:
    """Traces the model for inference and turns its weights into constants.

    A fixed batch because LiteRT.js and MediaPipe refuse a dynamic one; constants
    because the quantizer's calibration cannot read variables.

    Args:
        model: The full model.

    Returns:
        A concrete function, float32 ``[1, height, width, channels]`` -> ``[1, classes]``.

    Raises:
        ModelFileError: The model cannot be traced.
    """
    tensorflow = load_tensorflow()
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = tensorflow.TensorSpec((1, *model.input.shape), tensorflow.float32, name=INPUT_NAME)

    def scores(image: Any) -> Any:
        return tensorflow.identity(
            tensorflow.cast(model.keras(image, training=False), tensorflow.float32), name=OUTPUT_NAME
        )

    try:
        with quiet():
            traced = tensorflow.function(scores, input_signature=[signature], autograph=False)
            frozen = convert_variables_to_constants_v2(traced.get_concrete_function())
    except (ValueError, TypeError, NotImplementedError, tensorflow.errors.OpError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelFileError(
            f"A full model must run on one image. Received: an error of {reason[:200]}. Fix the model."
        ) from error
    return frozen
