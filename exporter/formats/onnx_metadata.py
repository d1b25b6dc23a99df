"""ONNX metadata: what an .onnx file says about itself in ``metadata_props``, text by key.

ONNX has no convention for labels. ``names``, ``task`` and ``imgsz`` follow Ultralytics, whose
readers parse them with ``ast.literal_eval``: ``names`` is ``{0: 'cat', 1: 'dog'}``. ``labels``
is the same as a JSON list, for all other readers.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

from edge_runtime.bundle.labels import check_count, validated
from edge_runtime.bundle.manifest import Preprocess
from edge_runtime.common.errors import BundleError, ModelFileError
from edge_runtime.common.versions import OWN_NAME, own_version
from edge_runtime.engines.base import EXTRA_OUTPUTS
from edge_runtime.image.input_spec import InputSpec
from exporter.formats.model_files import import_onnx

MAX_IR_VERSION = 10
"""ONNX Runtime before 1.20 refuses newer files; no operator used here needs a newer one."""

_MOST_TEXT = 4_000_000
"""Characters of a list of names; longer ones are not read."""


def with_onnx_metadata(
    data: bytes, *, name: str, description: str, labels: Sequence[str], input: InputSpec, kind: str
) -> bytes:
    """Adds metadata to a classifier; keys that it had before are replaced, others stay.

    The license is left out: it is the owner's choice. Scores do not change, and a second call with the
    same arguments changes nothing. Take hashes of the result.

    Args:
        data: An .onnx file with one input ``[batch, height, width, channels]``, pixels 0..255,
            and the output ``[batch, classes]``, which others may follow.
        name: The model's name.
        description: What it does, for people.
        labels: Class names in the order of the scores.
        input: The pixels that it takes.
        kind: The artifact's kind, such as ``onnx-int8``.

    Raises:
        EnvironmentMissingError: onnx is not installed.
        ModelFileError: It is not an intact .onnx file, or it has another input.
        BundleError: The labels do not match its outputs.
    """
    onnx = import_onnx("Writing an .onnx file")
    try:
        proto = onnx.load_model_from_string(data)
    except Exception as error:
        # protobuf's DecodeError; which module holds it depends on protobuf's implementation.
        raise ModelFileError(
            f"Metadata must go into an .onnx file. Received: {len(data)} bytes of something else. Export it again."
        ) from error
    _check(proto, validated(labels), input)
    own = _properties(name, description, labels, input, kind)
    others = {entry.key: entry.value for entry in proto.metadata_props if entry.key not in own}
    onnx.helper.set_model_props(proto, {**others, **own})
    proto.doc_string = description
    proto.producer_name, proto.producer_version = OWN_NAME, own_version()
    proto.ir_version = min(proto.ir_version, MAX_IR_VERSION)
    written: bytes = proto.SerializeToString()
    return written


def onnx_labels(properties: Mapping[str, str]) -> tuple[str, ...]:
    """Reads class names from ``metadata_props``: the key ``labels``, or ``names`` as Ultralytics writes it.

    Args:
        properties: Text by key, as any tool may have written it.

    Returns:
        Names in the order of the scores; empty where neither key holds a list of names.
    """
    for key in ("labels", "names"):
        found = _list_of(properties.get(key, ""))
        try:
            return validated(found, key)
        except BundleError:
            continue
    return ()


def _list_of(text: str) -> list[str]:
    """The names in a JSON or Python list, or in a dictionary of index and name."""
    if len(text) > _MOST_TEXT:
        return []
    value: object = None
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
            break
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    if isinstance(value, dict):
        named = {str(index): name for index, name in value.items()}
        value = [named.get(str(index)) for index in range(len(named))]
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return [str(name) for name in value]
    return []


def _properties(
    name: str, description: str, labels: Sequence[str], input: InputSpec, kind: str
) -> dict[str, str]:
    preprocess = Preprocess.of(input)
    return {
        "name": name,
        "description": description,
        "task": "classify",
        "artifact": kind,
        "names": str(dict(enumerate(labels))),
        "labels": json.dumps(list(labels), ensure_ascii=False),
        "imgsz": str([input.height, input.width]),
        "channels": str(input.channels),
        "color_space": "RGB" if input.channels == 3 else "GRAYSCALE",
        "layout": "NHWC",
        "input_range": str(list(preprocess.range)),
        "mean": "[0.0]",
        "std": "[1.0]",
        "fit": input.fit,
        "preprocess": json.dumps(
            {
                "decode": preprocess.decode,
                "orientation": preprocess.orientation,
                "alpha": preprocess.alpha,
                "resize": preprocess.resize,
            }
        ),
        "snapship_version": own_version(),
    }


def _check(proto: Any, labels: Sequence[str], input: InputSpec) -> None:
    weights = {entry.name for entry in proto.graph.initializer}
    inputs = [entry for entry in proto.graph.input if entry.name not in weights]
    outputs = [entry.name for entry in proto.graph.output]
    if len(inputs) != 1 or not outputs or not set(outputs[1:]).issubset(EXTRA_OUTPUTS):
        raise ModelFileError(
            "A classifier must have one input and one output. "
            f"Received: {len(inputs)} and {len(outputs)}. Export it again."
        )
    shape = _shape(inputs[0])
    if shape[1:] != list(input.shape):
        raise ModelFileError(
            f"The metadata must describe the model's input. Received: {list(input.shape)} for a model "
            f"that takes {shape[1:]}. Pass the model's own height, width and channels."
        )
    check_count(labels, [0, *_shape(proto.graph.output[0])][-1])


def _shape(value: Any) -> list[int]:
    """Sizes; 0 where a size is dynamic."""
    return [int(size.dim_value) for size in value.type.tensor_type.shape.dim]
