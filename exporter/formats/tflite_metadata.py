"""TFLite Metadata: what MediaPipe Tasks, Android Studio and their like read from a .tflite file.

The conventions of an image classifier: an image input with its normalisation, an output
``score`` whose entries ``labels.txt`` names, and that file appended to the model as a zip.
Normalisation is mean 0 and standard deviation 1, for uint8 inputs too: pixels go in as they
are, and a client that asks for the options finds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_runtime.bundle.labels import LABELS_FILE, check_count, labels_text, parse_labels, validated
from edge_runtime.common.errors import ModelFileError, SnapshipError
from edge_runtime.common.versions import OWN_NAME, own_version
from edge_runtime.image.spec import InputSpec
from exporter.formats import tflite_metadata_tables as tables
from exporter.formats.flatbuffer import packed, parsed
from exporter.formats.tflite_metadata_tables import joined, split

BUFFER_NAME = "TFLITE_METADATA"
"""The name by which clients find the metadata among a model's buffers."""

_RESIZED = {"antialiased": "", "plain": " Resized bilinearly without antialiasing."}
"""What a client must know that differs from what the training here does."""

MIN_PARSER_VERSION = "1.0.0"
"""Every field used here is in the schema since its first version."""


@dataclass(frozen=True)
class TfliteMetadata:
    """What a .tflite file says of itself.

    Attributes:
        name: The model's name.
        description: What it does.
        author: What wrote it.
        min_parser_version: Oldest metadata parser that understands it.
        labels: Class names in the order of the scores; empty where the file has none.
        color_space: ``RGB``, ``GRAYSCALE`` or ``UNKNOWN``.
        mean: What a client subtracts from a pixel 0..255, per channel or once.
        std: What it then divides by.
        low: Smallest input value, after normalisation.
        high: Largest input value, after normalisation.
    """

    name: str
    description: str
    author: str
    min_parser_version: str
    labels: tuple[str, ...]
    color_space: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def with_tflite_metadata(
    data: bytes, *, name: str, description: str, labels: Sequence[str], input: InputSpec, kind: str = ""
) -> bytes:
    """Adds TFLite Metadata to a classifier; what it had before is replaced.

    Scores do not change. The same arguments give the same bytes, and giving them twice
    gives what giving them once does. Take hashes of the result.

    Args:
        data: A .tflite file with one input ``[1, height, width, channels]`` of any type,
            pixels 0..255 as they are, and one output ``[1, classes]``.
        name: The model's name.
        description: What it does, for people.
        labels: Class names in the order of the scores.
        input: The pixels that it takes.
        kind: Unused: TFLite Metadata has no field for it.

    Returns:
        The file with metadata and, as an appended zip, ``labels.txt``.

    Raises:
        ModelFileError: It is no intact .tflite file, or its input is another.
        BundleError: The labels do not match its outputs.
    """
    model = parsed(split(data)[0])
    _check(model, validated(labels), input)
    record = _record(name, description, input)
    _set_buffer(model, tables.packed(record))
    return joined(packed(model), {LABELS_FILE: labels_text(labels).encode("utf-8")})


def read_tflite_metadata(data: bytes) -> TfliteMetadata | None:
    """Reads a classifier's TFLite Metadata.

    Args:
        data: A .tflite file, ours or not.

    Returns:
        What it says, or None where it says nothing.

    Raises:
        ModelFileError: The file or its metadata is damaged.
    """
    flatbuffer, files = split(data)
    model = parsed(flatbuffer)
    entry = _entry(model)
    if entry is None:
        return None
    try:
        content = model.buffers[entry.buffer].data
        record = tables.unpacked(b"" if content is None else bytes(content))
        return _described(record, files)
    except (ValueError, IndexError, SnapshipError) as error:
        raise ModelFileError(
            f"TFLite Metadata must follow its schema. Received: {error}. Export the file again."
        ) from error


def tflite_labels(data: bytes) -> tuple[str, ...]:
    """Reads class names from a classifier's metadata.

    Args:
        data: A .tflite file, ours or not.

    Returns:
        Names in the order of the scores; empty where it has none, or damaged ones.
    """
    try:
        # Labels are an appended file: without one, the model need not be parsed.
        found = read_tflite_metadata(data) if split(data)[1] else None
    except ModelFileError:
        return ()
    return () if found is None else found.labels


def _record(name: str, description: str, input: InputSpec) -> tables.Record:
    color_space = "RGB" if input.channels == 3 else "GRAYSCALE"
    return {
        "name": name,
        "description": description,
        "author": f"{OWN_NAME} {own_version()}",
        "min_parser_version": MIN_PARSER_VERSION,
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
                    }
                ],
            }
        ],
    }


def _check(model: Any, labels: Sequence[str], input: InputSpec) -> None:
    graph = model.subgraphs[0] if model.subgraphs else None
    if graph is None or len(graph.inputs) != 1 or len(graph.outputs) != 1:
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
    return next((entry for entry in model.metadata or [] if entry.name == BUFFER_NAME.encode()), None)


def _set_buffer(model: Any, content: bytes) -> None:
    """Writes the metadata where it was, or else to a new buffer."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    entry = _entry(model)
    if entry is None:
        entry = schema.MetadataT(BUFFER_NAME.encode(), len(model.buffers))
        model.metadata = [*(model.metadata or []), entry]
        model.buffers.append(schema.BufferT())
    model.buffers[entry.buffer].data = np.frombuffer(content, dtype=np.uint8)


def _described(record: tables.Record, files: dict[str, bytes]) -> TfliteMetadata:
    graph = _first(record, "subgraphs")
    image, score = _first(graph, "inputs"), _first(graph, "outputs")
    code = image.get("content", {}).get("image", {}).get("color_space", 0)
    normalization: tables.Record = next(
        (unit["normalization"] for unit in image.get("process_units", ()) if "normalization" in unit), {}
    )
    named = (
        file.get("name") for file in score.get("files", ()) if file.get("type") == tables.TENSOR_AXIS_LABELS
    )
    text = next((files[name] for name in named if name in files), None)
    stats = image.get("stats", {})
    return TfliteMetadata(
        name=record.get("name", ""),
        description=record.get("description", ""),
        author=record.get("author", ""),
        min_parser_version=record.get("min_parser_version", ""),
        labels=() if text is None else parse_labels(text.decode("utf-8")),
        color_space=next((key for key, value in tables.COLOR_SPACES.items() if value == code), "UNKNOWN"),
        mean=tuple(normalization.get("mean", ())),
        std=tuple(normalization.get("std", ())),
        low=tuple(stats.get("min", ())),
        high=tuple(stats.get("max", ())),
    )


def _first(record: tables.Record, key: str) -> tables.Record:
    entries = record.get(key, ())
    return entries[0] if entries else {}
