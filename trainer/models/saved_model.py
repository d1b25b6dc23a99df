"""Loads a SavedModel as a frozen graph, from the function that computes features of an image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.common.errors import UsageError, first_line
from edge_runtime.common.native_output import quiet
from edge_runtime.engines.result import Float32Array
from trainer.models.frozen_graph import FEATURES_NODE, IMAGE_NODE, check_operations

SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")
"""A folder with one of these is a SavedModel."""

_SIGNATURES = ("serving_default", "default")
"""Tried in this order; the second is used by TF1 Hub modules."""

_OUTPUTS = ("default", "feature_vector", "features", "output_0")
"""Usual names of the features among several outputs, on TF-Hub and in Keras."""


@dataclass(frozen=True)
class FrozenBackbone:
    """A SavedModel's function of an image, with its variables frozen.

    Attributes:
        graph: A ``GraphDef`` with a placeholder for the image and one for each weight.
        weights: The weights by the name of their placeholder.
        output: Shape of the features, ``(None, n)`` or ``(None, height, width, n)``.
    """

    graph: Any
    weights: dict[str, Float32Array]
    output: tuple[int | None, ...]


def check_saved_model(path: str | os.PathLike[str]) -> Path:
    """Checks that a path looks like a SavedModel, without loading it.

    Args:
        path: The user's path: the folder, or the ``saved_model.pb`` in it.

    Returns:
        The folder.

    Raises:
        UsageError: The path is not a SavedModel.
    """
    folder = Path(path)
    if folder.name in SAVED_MODEL_FILES:
        folder = folder.parent
    if not folder.is_dir():
        what = "a file; unpack it first" if folder.exists() else "which does not exist"
        raise UsageError(
            f"weights of feature_extractor must be a SavedModel folder. Received: {folder}, {what}. "
            "Pass --weights FOLDER that contains saved_model.pb."
        )
    if not any((folder / name).is_file() for name in SAVED_MODEL_FILES):
        raise UsageError(
            f"A SavedModel folder must contain saved_model.pb. Received: {folder} without it. "
            "Pass the folder that contains it."
        )
    return folder


def freeze_saved_model(path: str | os.PathLike[str], shape: tuple[int, int, int]) -> FrozenBackbone:
    """Loads a SavedModel and freezes its function for one image size.

    Functions are tried in this order: the object's own call with ``training=False`` (TF2 Hub
    and Keras 2), the signature ``serving_default`` (Keras 3's ``export`` and others), the
    signature ``default`` (TF1 Hub), a sole signature.

    Args:
        path: The folder.
        shape: Height, width and channels of the model's images.

    Raises:
        UsageError: The path is not a SavedModel, or none of its functions computes features of
            such an image.
        ModelFileError: The function contains operations that a frozen backbone must not have.
    """
    import tensorflow

    folder = check_saved_model(path)
    # TF1 Hub modules contain this file, and their graph has no tag.
    tags: list[str] | None = [] if (folder / "tfhub_module.pb").is_file() else None
    try:
        with quiet():
            loaded = tensorflow.saved_model.load(os.fspath(folder), tags=tags)
    # TensorFlow's C++ side may raise anything here.
    except Exception as error:
        raise UsageError(
            f"A SavedModel must load in TensorFlow. Received: {folder} ({first_line(error, 160)}). Save it again."
        ) from error
    signature = tensorflow.TensorSpec((None, *shape), tensorflow.float32, name=IMAGE_NODE)
    refusals: list[str] = []
    for label, function in _functions(loaded):
        try:
            with quiet():
                traced = _traced(function, signature)
        except _NoFeaturesError as error:
            refusals.append(f"{label} returns {error}")
            continue
        except Exception as error:
            refusals.append(f"{label}: {first_line(error, 160)}")
            continue
        return _frozen(traced, shape)
    accepted = _accepted(loaded)
    raise UsageError(
        f"A SavedModel must compute features of float32 images {shape[0]}x{shape[1]}x{shape[2]}. Received: "
        f"{folder}, {'; '.join(refusals)[:300] or 'without a function or signature'}"
        f"{f'; it accepts {accepted}' if accepted else ''}. Pass a matching --size, or another SavedModel."
    )


class _NoFeaturesError(Exception):
    """A function does not return one tensor of features."""


def _functions(loaded: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """The callables to try with an image, in order."""
    if callable(loaded):
        yield "its call", partial(_called, loaded)
    signatures = dict(getattr(loaded, "signatures", {}))
    names = [name for name in _SIGNATURES if name in signatures]
    if not names and len(signatures) == 1:
        names = list(signatures)
    for name in names:
        yield f"its signature {name}", partial(_signed, signatures[name])


def _traced(function: Callable[[Any], Any], signature: Any) -> Any:
    """Traces a function from the image to its features."""
    import tensorflow

    return tensorflow.function(
        lambda image: _features(function(image)), input_signature=[signature], autograph=False
    ).get_concrete_function()


def _called(loaded: Any, image: Any) -> Any:
    """The object's call in inference mode, or without ``training`` if it has no such argument."""
    with suppress(TypeError, ValueError):
        return loaded(image, training=False)
    return loaded(image)


def _signed(entry: Any, image: Any) -> Any:
    (name,) = entry.structured_input_signature[1]
    return entry(**{name: image})


def _features(result: Any) -> Any:
    """The one tensor of features in a function's result, as float32."""
    import tensorflow

    if isinstance(result, list | tuple) and len(result) == 1:
        result = result[0]
    if isinstance(result, dict):
        named = [name for name in _OUTPUTS if name in result]
        if len(result) != 1 and not named:
            raise _NoFeaturesError(f"several outputs: {', '.join(map(str, list(result)[:8]))}")
        result = result[named[0]] if named else next(iter(result.values()))
    shape = getattr(result, "shape", None)
    if shape is None or shape.rank not in (2, 4) or not result.dtype.is_floating:
        raise _NoFeaturesError(f"{shape if shape is not None else type(result).__name__}, "
                               "not float [batch, n] or [batch, height, width, n]")  # fmt: skip
    return tensorflow.cast(result, tensorflow.float32)


def _accepted(loaded: Any) -> str:
    """The images that its signatures accept, for the message."""
    found: list[str] = []
    for entry in dict(getattr(loaded, "signatures", {})).values():
        found += [f"{list(spec.shape)} {spec.dtype.name}" for spec in entry.structured_input_signature[1].values()
                  if spec.shape.rank is not None]  # fmt: skip
    call = getattr(loaded, "__call__", None)  # noqa: B004
    for entry in getattr(call, "concrete_functions", ()):
        found += [
            f"{list(spec.shape)} {spec.dtype.name}"
            for spec in entry.inputs[:1]
            if spec.shape.rank is not None
        ]
    return " or ".join(dict.fromkeys(found))[:200]


def _frozen(traced: Any, shape: tuple[int, int, int]) -> FrozenBackbone:
    """Turns variables into constants, and constants into placeholders."""
    import tensorflow
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    with quiet():
        function = convert_variables_to_constants_v2(traced, aggressive_inlining=True)
        (features,) = function(tensorflow.zeros((1, *shape), tensorflow.float32))
    graph = _used(function.graph.as_graph_def(), function.inputs[0].op.name, function.outputs[0].name)
    weights: dict[str, Float32Array] = {}
    for node in graph.node:
        if node.op == "Const" and node.attr["dtype"].type == tensorflow.float32.as_datatype_enum:
            number = tensorflow.make_ndarray(node.attr["value"].tensor)
            # Scalars stay in the graph: they are factors and limits.
            if number.ndim:
                weights[node.name] = np.asarray(number, np.float32)
                _as_placeholder(node, number.shape)
    check_operations(graph)
    # By name, so that the same SavedModel always becomes the same model.
    weights = dict(sorted(weights.items()))
    return FrozenBackbone(graph, weights, (None, *features.shape[1:]))


def _used(graph: Any, image: str, features: str) -> Any:
    """The nodes between image and features, named as the layer expects, without device placement."""
    import tensorflow

    for node in graph.node:
        # Stateless arithmetic needs no control inputs: the data determines the order of execution.
        kept = [name for name in node.input if not name.startswith("^")]
        del node.input[:]
        node.input.extend(IMAGE_NODE if name.partition(":")[0] == image else name for name in kept)
        if node.name == image:
            node.name = IMAGE_NODE
        node.device = ""
        for name in [name for name in node.attr if name.startswith("_")]:
            del node.attr[name]
        node.ClearField("experimental_debug_info")
    last = graph.node.add(name=FEATURES_NODE, op="Identity", input=[features])
    last.attr["T"].type = tensorflow.float32.as_datatype_enum
    nodes = {node.name: node for node in graph.node}
    reached, waiting = set(), [FEATURES_NODE, IMAGE_NODE]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [entry.partition(":")[0] for entry in nodes[name].input]
    used = tensorflow.compat.v1.GraphDef(versions=graph.versions)
    used.node.extend(nodes[name] for name in sorted(reached))
    return used


def _as_placeholder(node: Any, shape: tuple[int, ...]) -> None:
    import tensorflow

    node.op = "Placeholder"
    del node.attr["value"]
    node.attr["shape"].shape.CopyFrom(tensorflow.TensorShape(shape).as_proto())
