"""A TensorFlow graph as a Keras layer, with which a SavedModel becomes part of ``model.keras``.

The layer's configuration holds the graph without its weights; its variables hold the weights.
So the file is self-contained, and Keras copies, counts and saves the layer like any other.
Call :func:`trainer.run.run_json.register_layers` before loading such a file.
"""

from __future__ import annotations

import base64
import zlib
from functools import cache
from typing import Any

from edge_runtime.common.errors import ModelFileError, UsageError

IMAGE_NODE = "snapship_image"
"""The graph's only input besides its weights."""

FEATURES_NODE = "snapship_features"
"""The node whose first output is the layer's output."""

_MAX_GRAPH_BYTES = 64 * 2**20
"""Far larger than any graph without its weights; a damaged or hostile file may claim more."""

_CONTROL_FLOW = {"Enter", "Exit", "LoopCond", "Merge", "NextIteration", "RefMerge", "RefSwitch", "Switch"}


def check_operations(graph: Any) -> None:
    """Rejects a graph that is more than arithmetic on tensors.

    A model file may come from anywhere. A frozen backbone needs no operations on files, strings
    or variables, or with state or side effects, and no artifact could contain them.

    Args:
        graph: A ``GraphDef``.

    Raises:
        ModelFileError: The graph contains such an operation, a function or control flow, or
            computes in half precision, which the converters do not support.
    """
    from tensorflow.core.framework import types_pb2
    from tensorflow.python.framework import op_def_registry

    banned = {types_pb2.DT_STRING, types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT}
    for node in graph.node:
        known = op_def_registry.get(node.op)
        plain = known is not None and not known.is_stateful and node.op not in _CONTROL_FLOW
        types = {arg.type for arg in (*known.input_arg, *known.output_arg)} if known is not None else set()
        for value in node.attr.values():
            plain = plain and value.WhichOneof("value") != "func" and not value.list.func
            types |= {value.type, *value.list.type}
        if types & {types_pb2.DT_HALF, types_pb2.DT_BFLOAT16}:
            raise ModelFileError(
                f"A backbone must compute in float32. Received: the operation {node.op} ({node.name[:80]}) in "
                "half precision. Export the SavedModel under the float32 policy."
            )
        if not plain or types & banned:
            raise ModelFileError(
                "A backbone must be plain arithmetic without files, text, lookups, loops or random numbers. "
                f"Received: the operation {node.op} ({node.name[:80]}). Use another SavedModel."
            )
    if graph.library.function:
        raise ModelFileError(
            "A backbone must be a single graph. Received: "
            f"one with the function {graph.library.function[0].signature.name[:80]}. Use another SavedModel."
        )


def pack(graph: Any) -> str:
    """Encodes a ``GraphDef`` as text for a layer's configuration.

    Args:
        graph: The graph, without weights.
    """
    return base64.b64encode(zlib.compress(graph.SerializeToString(deterministic=True), 9)).decode("ascii")


def unpack(packed: str) -> Any:
    """Decodes the text that :func:`pack` returned.

    Args:
        packed: The text.

    Raises:
        ModelFileError: The text is damaged.
    """
    from tensorflow.core.framework import graph_pb2

    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(base64.b64decode(packed, validate=True), _MAX_GRAPH_BYTES)
        if not inflater.eof:
            raise ValueError(f"more than {_MAX_GRAPH_BYTES:,} bytes, or truncated")
        return graph_pb2.GraphDef.FromString(data)
    # protobuf does not export its error under a typed name.
    except Exception as error:
        raise ModelFileError(
            f"A backbone's graph must be intact. Received: {error}. Restore the model file."
        ) from error


@cache
def layer_class() -> Any:
    """Returns the Keras layer ``snapship>FrozenGraph``; defines and registers it at the first call.

    Keras must already be loaded.
    """
    import keras

    @keras.saving.register_keras_serializable(package="snapship")
    class FrozenGraph(keras.layers.Layer):  # type: ignore[misc]
        """A frozen backbone without trainable weights.

        Args:
            graph: A graph in which every weight is a placeholder, encoded by :func:`pack`.
            weights: Placeholder name and shape of every weight, all float32.
            output: Shape of the output, None for the batch.
        """

        def __init__(self, graph: str, weights: list[Any], output: list[int | None], **options: Any) -> None:
            if keras.backend.backend() != "tensorflow":
                raise UsageError(
                    "A feature_extractor must run on Keras' TensorFlow backend. "
                    f"Received: {keras.backend.backend()}. Set KERAS_BACKEND=tensorflow."
                )
            # The graph's weights are float32, whatever the policy of the model around it.
            super().__init__(**{**options, "dtype": "float32"})
            self._packed, self._shape = graph, tuple(output)
            self._graph = unpack(graph)
            check_operations(self._graph)
            self._names = [str(name) for name, _ in weights]
            self._numbers = [
                self.add_weight(
                    shape=tuple(shape), initializer="zeros", trainable=False, name=f"weight_{index}"
                )
                for index, (_, shape) in enumerate(weights)
            ]
            self._traced: Any = None
            self.built = True

        def call(self, inputs: Any) -> Any:
            import tensorflow

            if not tensorflow.executing_eagerly():
                return self._imported(inputs)
            if self._traced is None:
                self._traced = tensorflow.function(self._imported, autograph=False)
            return self._traced(inputs)

        def _imported(self, inputs: Any) -> Any:
            import tensorflow

            feeds = {f"{IMAGE_NODE}:0": tensorflow.identity(inputs)}
            for name, number in zip(self._names, self._numbers, strict=True):
                feeds[f"{name}:0"] = tensorflow.convert_to_tensor(number)
            (features,) = tensorflow.graph_util.import_graph_def(
                self._graph, input_map=feeds, return_elements=[f"{FEATURES_NODE}:0"], name="frozen"
            )
            features.set_shape(self._shape)
            return features

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (input_shape[0], *self._shape[1:])

        def get_config(self) -> dict[str, Any]:
            weights = [
                [name, list(number.shape)] for name, number in zip(self._names, self._numbers, strict=True)
            ]
            return {
                **super().get_config(), "graph": self._packed, "weights": weights, "output": list(self._shape)
            }  # fmt: skip

    return FrozenGraph
