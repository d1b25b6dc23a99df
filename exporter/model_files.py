"""The files a model consists of, which its size and hash cover.

============= ==========================================================
SavedModel    everything in its folder, as the weights are in variables/
.onnx         itself and the files that hold its weights
others        itself: a .keras file is one zip, .h5 and .tflite are single files
============= ==========================================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.bundle import file_sha256
from exporter.external_data import external_files, parse_onnx


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
