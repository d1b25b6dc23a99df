"""How artifacts without a device engine are run for a check, where this machine can."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_runtime.engines import Engine, open_engine
from edge_runtime.manifest import Format
from edge_runtime.spec import InputSpec
from edge_runtime.temporary import temporary_folder
from exporter.c_array import tflite_in
from exporter.candidate import Opener
from exporter.foreign import ForeignEngine
from exporter.foreign_files import read_keras
from exporter.saved_model import SAVED_MODEL_FILE


def opener_of(format: Format, model: Path | bytes, name: str, spec: InputSpec) -> Opener | None:
    """How to load an artifact for a check.

    Args:
        format: Its format.
        model: Its file's path or bytes.
        name: Its name, for messages.
        spec: The pixels that it takes.

    Returns:
        Threads -> engine. None for files that a device engine takes as they are, and for
        those that nothing here can run, such as ``coreml``.
    """
    made: dict[str, Callable[[int], Engine]] = {
        "saved-model": lambda threads: _saved_model(model, spec),
        "c-array": lambda threads: open_engine(
            tflite_in(model if isinstance(model, bytes) else model.read_bytes()),
            "tflite",
            name,
            threads=threads,
        ),
    }
    return made.get(format)


def _saved_model(model: Path | bytes, spec: InputSpec) -> Engine:
    """On TensorFlow; the bytes from a zipped bundle are unpacked for the time of loading."""
    if isinstance(model, Path):
        return ForeignEngine(read_keras(model.parent, "0..255"), spec, softmax=False)
    with temporary_folder() as folder:
        (folder / SAVED_MODEL_FILE).write_bytes(model)
        return ForeignEngine(read_keras(folder, "0..255"), spec, softmax=False)
