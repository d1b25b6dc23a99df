"""TFLite Metadata: what MediaPipe Tasks, Android Studio and similar tools read from a .tflite file.

The conventions of an image classifier: an image input with its normalisation, an output
``score`` whose entries ``labels.txt`` names, and that file appended to the model as a zip.
Normalisation is mean 0 and standard deviation 1, for uint8 inputs too: pixels are used as they
are, and a client that requires these options finds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge_runtime.bundle.labels import LABELS_FILE, check_count, labels_text, parse_labels, validated
from edge_runtime.common.errors import ModelFileError, SnapshipError
from edge_runtime.common.versions import OWN_NAME, own_version
from edge_runtime.engines.base import FEATURES
from edge_runtime.image.input_spec import InputSpec
from exporter.formats import tflite_metadata_tables as tables
from exporter.formats.flatbuffer import packed, parsed
from exporter.formats.tflite_metadata_tables import joined, split

_BUFFER_NAME = b"TFLITE_METADATA"
"""The name by which clients find the metadata among a model's buffers."""

_RESIZED = {"antialiased": "", "plain": " Resized bilinearly without antialiasing."}
"""What differs from training here, so that a client must know it."""

_FURTHER = {FEATURES: "What the last layer takes: no scores. The bundle's rule for unknown images reads it."}

_MIN_PARSER_VERSION = "1.0.0"
"""Every field used here has been in the schema since its first version."""


def with_tflite_metadata(
    data: bytes, *, name: str, description: str, labels: Sequence[str], input: InputSpec, kind: str = ""
) -> bytes:
    """Adds TFLite Metadata to a classifier; existing metadata is replaced.

    Scores do not change. The same arguments give the same bytes, and a second call with them
    changes nothing. Take hashes of the result.

    Args:
        data: A .tflite file with one input ``[1, height, width, channels]`` of any type,
            pixels 0..255 as they are, and the output ``[1, classes]``, which others may follow.
        name: The model's name.
        description: What it does, for people.
        labels: Class names in the order of the scores.
        input: The pixels that it takes.
        kind: Unused: TFLite Metadata has no field for it.

    Returns:
        The file with metadata and, as an appended zip, ``labels.txt``.

    Raises:
        ModelFileError: It is not an intact .tflite file, or it has another input.
        BundleError: The labels do not match its outputs.
    """
    model = parsed(split(data)[0])
    _check(model, validated(labels), input)
    graph = model.subgraphs[0]
    further = [graph.tensors[place].name.decode() for place in graph.outputs[1:]]
    _set_buffer(model, tables.packed(_record(name, description, input, further)))
    return joined(packed(model), {LABELS_FILE: labels_text(labels).encode("utf-8")})


def read_tflite_metadata(data: bytes) -> tables.Record | None:
    """Reads a file's TFLite Metadata.

    Args:
        data: A .tflite file of any origin.

    Returns:
        The table ``ModelMetadata``, or None if there is none.

    Raises:
        ModelFileError: The file or its metadata is damaged.
    """
    model = parsed(split(data)[0])
    entry = _entry(model)
    if entry is None:
        return None
    try:
        content = model.buffers[entry.buffer].data
        return tables.unpacked(b"" if content is None else bytes(content))
    except (ValueError, IndexError) as error:
        raise ModelFileError(
            f"TFLite Metadata must follow its schema. Received: {error}. Export the file again."
        ) from error


def tflite_labels(data: bytes) -> tuple[str, ...]:
    """Reads class names from a classifier's metadata.

    Args:
        data: A .tflite file of any origin.

    Returns:
        Names in the order of the scores; empty if it has none, or damaged ones.
    """
    try:
        files = split(data)[1]
        # Labels are an appended file: without one, the model need not be parsed.
        record = read_tflite_metadata(data) if files else None
        score = _first(_first(record or {}, "subgraphs"), "outputs")
        names = [file for file in score.get("files", ()) if file.get("type") == tables.TENSOR_AXIS_LABELS]
        text = next((files[file["name"]] for file in names if file.get("name") in files), None)
        return () if text is None else parse_labels(text.decode("utf-8"))
    except (SnapshipError, ValueError):
        return ()


def _record(name: str, description: str, input: InputSpec, further: Sequence[str]) -> tables.Record:
    color_space = "RGB" if input.channels == 3 else "GRAYSCALE"
    return {
        "name": name,
        "description": description,
        "author": f"{OWN_NAME} {own_version()}",
        "min_parser_version": _MIN_PARSER_VERSION,
        "subgraphs": [
            {
                "inputs": [
                    {
                        "name": "image",
                        "description": (
                            f"{color_space} pixels 0..255, {input.height} rows by {input.width} columns."
                            f"{_RESIZED[input.resize]}"
                        ),
                        "content": {"image": {"color_space": tables.COLOR_SPACES[color_space]}},
                        "process_units": [{"normalization": {"mean": [0.0], "std": [1.0]}}],
                        "stats": {"min": [0.0], "max": [255.0]},
                    }
                ],
                "outputs": [
                    {
                        "name": "score",
                        "description": "Probability of each class; they sum to 1.",
                        "content": {"feature": {}},
                        "stats": {"min": [0.0], "max": [1.0]},
                        "files": [
                            {
                                "name": LABELS_FILE,
                                "description": "Class names in the order of the scores.",
                                "type": tables.TENSOR_AXIS_LABELS,
                            }
                        ],
                    },
                    # A client refuses a file that describes fewer outputs than it has.
                    *(
                        {"name": extra, "description": _FURTHER[extra], "content": {"feature": {}}}
                        for extra in further
                    ),
                ],
            }
        ],
    }


def _check(model: Any, labels: Sequence[str], input: InputSpec) -> None:
    graph = model.subgraphs[0] if model.subgraphs else None
    further = [] if graph is None else [graph.tensors[place].name.decode() for place in graph.outputs[1:]]
    if (
        graph is None
        or len(graph.inputs) != 1
        or not len(graph.outputs)
        or not _FURTHER.keys() >= set(further)
    ):
        counts = "no graph" if graph is None else f"{len(graph.inputs)} and {len(graph.outputs)}"
        raise ModelFileError(
            f"A classifier must have one input and one output. Received: {counts}. Export it again."
        )
    shape = [int(size) for size in graph.tensors[graph.inputs[0]].shape]
    if shape != [1, *input.shape]:
        raise ModelFileError(
            f"The metadata must describe the model's input. Received: {list(input.shape)} for a model "
            f"that takes {shape}. Pass the model's own height, width and channels."
        )
    outputs = [int(size) for size in graph.tensors[graph.outputs[0]].shape]
    check_count(labels, outputs[-1] if outputs else 0)


def _entry(model: Any) -> Any | None:
    return next((entry for entry in model.metadata or [] if entry.name == _BUFFER_NAME), None)


def _set_buffer(model: Any, content: bytes) -> None:
    """Writes the metadata to its buffer, or to a new one."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    entry = _entry(model)
    if entry is None:
        entry = schema.MetadataT(_BUFFER_NAME, len(model.buffers))
        model.metadata = [*(model.metadata or []), entry]
        model.buffers.append(schema.BufferT())
    model.buffers[entry.buffer].data = np.frombuffer(content, dtype=np.uint8)


def _first(record: tables.Record, key: str) -> tables.Record:
    entries = record.get(key, ())
    return entries[0] if entries else {}
