"""Converts models trained in mixed precision back to float32."""

from __future__ import annotations

from typing import Any

from exporter.backend import load_keras


def in_float32(model: Any) -> Any:
    """Returns the model with every layer computing in float32.

    The converters have no float16 or bfloat16 form of every operation. Mixed precision
    keeps float32 weights, so nothing is lost.

    Args:
        model: A Keras model.

    Returns:
        The model itself if it already computes in float32, else a copy with its weights.
    """
    computed = {layer.compute_dtype for layer in model._flatten_layers(include_self=False)}
    if not computed & {"float16", "bfloat16"}:
        return model
    keras = load_keras()
    copy = type(model).from_config(_with_float32(model.get_config()))
    if not copy.built:
        copy.build(model.input_shape)
    copy.set_weights([keras.ops.convert_to_numpy(weight).astype("float32") for weight in model.weights])
    return copy


def _with_float32(config: Any) -> Any:
    """A layer's configuration, and those inside it, with the float32 policy."""
    if isinstance(config, list | tuple):
        return type(config)(_with_float32(entry) for entry in config)
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy" or config.get("module") == "keras.dtype_policies":
        return "float32"
    changed = {name: _with_float32(value) for name, value in config.items()}
    if isinstance(changed.get("dtype"), str) and "float" in changed["dtype"]:
        changed["dtype"] = "float32"
    return changed
