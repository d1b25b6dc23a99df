"""Weights of an .onnx file that are stored in files beside it, as PyTorch does for large models.

Such a model is several files, and all count for its size and hash. A path outside the model's
folder is refused before any runtime opens it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import EnvironmentMissingError, ModelFileError, first_line


@dataclass(frozen=True)
class Place:
    """Where one tensor's data is stored.

    Attributes:
        file: The file.
        offset: First byte.
        length: Bytes; None up to the end.
    """

    file: Path
    offset: int
    length: int | None


def parse_onnx(path: Path) -> Any:
    """Parses an .onnx file without loading external weights.

    Args:
        path: The file.

    Raises:
        EnvironmentMissingError: onnx is not installed.
        ModelFileError: It is damaged.
    """
    try:
        import onnx
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Looking into an .onnx file", "onnx", "export") from error
    try:
        return onnx.load(path, load_external_data=False)
    except Exception as error:
        # Protobuf's error has no other base class, and onnx has its own.
        raise ModelFileError(
            f"An .onnx file must be intact. Received: {path} ({first_line(error)}). Export it again."
        ) from error


def external_files(model: Any, path: Path) -> tuple[Path, ...]:
    """The files beside an .onnx file that hold its weights, sorted, without duplicates.

    Args:
        model: The parsed file.
        path: The file's path.

    Raises:
        ModelFileError: One is missing, too short, or outside the model's folder.
    """
    return tuple(sorted({_place(tensor, path).file for tensor in _external_tensors(model)}))


def read_external(model: Any, path: Path) -> Any:
    """Loads external weights into a model, in place.

    onnx itself refuses symbolic links, which Hugging Face's cache consists of.

    Args:
        model: The parsed file.
        path: The file's path.

    Raises:
        ModelFileError: A file is missing, unreadable, too short, or outside the model's folder.
    """
    for tensor in list(_external_tensors(model)):
        place = _place(tensor, path)
        try:
            with open(place.file, "rb") as file:
                file.seek(place.offset)
                data = file.read() if place.length is None else file.read(place.length)
        except OSError as error:
            raise ModelFileError(
                f"A file of weights must be readable. Received: {place.file} of {path} ({error.strerror}). "
                "Copy it again."
            ) from error
        tensor.raw_data = data
        del tensor.external_data[:]
        tensor.data_location = tensor.DEFAULT
    return model


def _external_tensors(message: Any) -> Iterator[Any]:
    """Every tensor with external data: of the graph, its attributes, subgraphs and functions."""
    if message.DESCRIPTOR.name == "TensorProto":
        if message.data_location == message.EXTERNAL:
            yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for entry in (value,) if hasattr(value, "ListFields") else value:
            yield from _external_tensors(entry)


def _place(tensor: Any, path: Path) -> Place:
    said = {entry.key: entry.value for entry in tensor.external_data}
    location = said.get("location", "")
    file = path.parent / location
    try:
        offset, length = int(said.get("offset") or 0), int(said["length"]) if said.get("length") else None
        if not location or offset < 0 or (length is not None and length < 0):
            raise ValueError
        # A model that is a link, as in Hugging Face's cache, may have its weights where it really lies.
        homes = {os.path.realpath(path.parent), os.path.dirname(os.path.realpath(path))}
        if os.path.isabs(location) or not any(
            os.path.commonpath((home, os.path.realpath(file))) == home for home in homes
        ):
            raise ModelFileError(
                f"An .onnx file's weights must lie in its folder. Received: {path} with {location[:200]!r}, "
                "outside of it. Save it with the weights beside it."
            )
    except ValueError as error:
        raise ModelFileError(
            f"An .onnx file must say where its weights are. Received: {path} with {str(said)[:200]} for "
            f"{tensor.name!r}. Export it again."
        ) from error
    if not file.is_file():
        raise ModelFileError(
            f"An .onnx file's weights must lie beside it. Received: {path} without {location[:200]!r}. "
            "Copy that file too, or save the model in one file."
        )
    if file.stat().st_size < offset + (length or 0):
        raise ModelFileError(
            f"A file of weights must be whole. Received: {file} of {path}, which ends before {tensor.name!r} does. "
            "Copy it again."
        )
    return Place(file, offset, length)
