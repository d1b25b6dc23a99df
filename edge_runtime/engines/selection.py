"""Which interpreter runs which file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from edge_runtime.engines.base import Engine
from edge_runtime.errors import EnvironmentMissingError, UnknownNameError, UsageError
from edge_runtime.manifest import Format


@dataclass(frozen=True)
class _Entry:
    """An engine that is not imported yet."""

    format: Format
    needs: str
    package: str
    extra: str
    target: str


ENGINES: dict[str, _Entry] = {
    "litert": _Entry("tflite", "ai_edge_litert", "ai-edge-litert", "", "litert:LiteRtEngine"),
    "onnxruntime": _Entry("onnx", "onnxruntime", "onnxruntime", "onnx", "onnx:OnnxEngine"),
}
"""Engines by name; the first installed one that reads a format is ``auto``."""


def available(engine: str) -> bool:
    """Whether an engine's package is installed; nothing is imported."""
    return find_spec(ENGINES[engine].needs) is not None


def usable(format: Format, engine: str = "auto") -> bool:
    """Whether an installed engine reads a format.

    Args:
        format: The format of an artifact; some have no engine at all.
        engine: ``auto``, or the one engine that may be used.
    """
    names = list(ENGINES) if engine == "auto" else [check_name(engine)]
    return any(ENGINES[name].format == format and available(name) for name in names)


def check_name(engine: str) -> str:
    """Returns the name if there is such an engine.

    Raises:
        UnknownNameError: There is none.
    """
    if engine not in ENGINES:
        raise UnknownNameError.of("engine", engine, ["auto", *ENGINES])
    return engine


def without_engine(format: Format, name: str) -> UsageError:
    """The error for artifacts that run elsewhere: on a server, a Mac, a microcontroller.

    Args:
        format: Their format.
        name: What was to be run.
    """
    formats = " or ".join(dict.fromkeys(f".{entry.format}" for entry in ENGINES.values()))
    return UsageError(
        f"An artifact must be a {formats} file to run here. Received: {name}, a {format} artifact. "
        "Use it where it belongs, or export the model as tflite-int8 too."
    )


def open_engine(
    model: Path | bytes, format: Format, name: str, *, engine: str = "auto", threads: int = 1
) -> Engine:
    """Loads a model file.

    Args:
        model: A path, or the file's bytes.
        format: The file's format.
        name: The file's name, for messages.
        engine: ``auto`` or an engine's name.
        threads: Threads of one inference; more than one hurts on a busy machine.

    Raises:
        UnknownNameError: There is no such engine.
        UsageError: The engine does not read the format, no engine does, or threads is not positive.
        EnvironmentMissingError: No installed engine reads it.
        ModelFileError: The engine refuses the file.
    """
    if threads < 1:
        raise UsageError(f"threads must be at least 1. Received: {threads}. Pass --threads 1.")
    readers = [key for key, entry in ENGINES.items() if entry.format == format]
    if not readers:
        raise without_engine(format, name)
    if engine != "auto":
        if check_name(engine) not in readers:
            raise UsageError(
                f"The engine must read the file's format. Received: engine {engine} for {name} ({format}). "
                f"Use: {', '.join(readers)}."
            )
        readers = [engine]
    for key in readers:
        if available(key):
            module, _, attribute = ENGINES[key].target.partition(":")
            loaded: Engine = getattr(import_module(f"edge_runtime.engines.{module}"), attribute)(
                model, name, threads
            )
            return loaded
    entry = ENGINES[readers[0]]
    raise EnvironmentMissingError.of_extra(f"Running {name}", entry.package, entry.extra)
