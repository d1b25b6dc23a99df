"""The files a model consists of, which its size and hash cover.

============= ==========================================================
SavedModel    everything in its folder, as the weights are in variables/
.onnx         itself and the files that hold its weights
others        itself: a .keras file is one zip, .h5 and .tflite are single files
============= ==========================================================

PyTorch stores the weights of a large .onnx file in files beside it. A path outside the model's
folder is refused before any runtime opens it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge_runtime.bundle.bundle import file_sha256
from edge_runtime.common.errors import EnvironmentMissingError, ModelFileError, first_line


def model_files(model: Path) -> tuple[Path, ...]:
    """All files of a model, the model's own first.

    Args:
        model: The file, or a SavedModel's folder.

    Raises:
        EnvironmentMissingError: onnx is not installed, for an .onnx file.
        ModelFileError: It is an .onnx file that is damaged, or whose weights are missing.
    """
    if model.is_dir():
        return tuple(path for path in sorted(model.rglob("*")) if path.is_file())
    if model.suffix.lower() == ".onnx":
        return (model, *external_files(parse_onnx(model), model))
    return (model,)


def files_sha256(model: Path, files: Sequence[Path]) -> str:
    """Hash of a model, 64 hex digits: that of its file, or of all files and their names, sorted.

    Args:
        model: The file, or a SavedModel's folder.
        files: The result of :func:`model_files`.
    """
    if not model.is_dir() and len(files) == 1:
        return file_sha256(model)
    folder = model if model.is_dir() else model.parent
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()


def model_sha256(model: Path) -> str:
    """Hash of all files of a model, 64 hex digits.

    Args:
        model: The file, or a SavedModel's folder.

    Raises:
        OSError: A file cannot be read.
        EnvironmentMissingError: onnx is not installed, for an .onnx file.
        ModelFileError: It is an .onnx file that is damaged, or whose weights are missing.
    """
    return files_sha256(model, model_files(model))


def import_onnx(task: str = "Looking into an .onnx file") -> Any:
    """Imports onnx.

    Args:
        task: What needs it, for the message.

    Raises:
        EnvironmentMissingError: It is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise EnvironmentMissingError.of_extra(task, "onnx", "export") from error
    return onnx


def parse_onnx(path: Path) -> Any:
    """Parses an .onnx file without loading external weights.

    Args:
        path: The file.

    Raises:
        EnvironmentMissingError: onnx is not installed.
        ModelFileError: It is damaged.
    """
    onnx = import_onnx()
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
    return tuple(sorted({_place(tensor, path)[0] for tensor in _external_tensors(model)}))


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
        beside, offset, length = _place(tensor, path)
        try:
            with open(beside, "rb") as file:
                file.seek(offset)
                data = file.read(-1 if length is None else length)
        except OSError as error:
            raise ModelFileError(
                f"A file of weights must be readable. Received: {beside} of {path} ({error.strerror}). "
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


def _place(tensor: Any, path: Path) -> tuple[Path, int, int | None]:
    """Where a tensor's data is stored: the file, the first byte, and the length; None is up to the end."""
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
    return file, offset, length
