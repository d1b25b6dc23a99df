"""The table of engines: which of them runs a file, and which artifact of a bundle to run."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import Artifact, Format
from edge_runtime.common.errors import EnvironmentMissingError, GateFailedError, UnknownNameError, UsageError
from edge_runtime.engines.base import Engine


class _Entry(msgspec.Struct, frozen=True):
    """An engine, not imported yet.

    Attributes:
        format: The files that it reads.
        needs: The module it needs.
        package: The distribution of that module.
        extra: The extra of snapship that installs it, empty for the base install.
        target: ``module:class`` in this package.
        fastest: The precisions it runs fast on a CPU, the fastest first.
        precisions: The precisions it can run; empty means all.
        numpy_below: The first major version of NumPy it does not work with; 0 for none.
        install: The pip command if no extra installs it.
        also: Another format that it reads.
        automatic: Whether ``auto`` may choose it; otherwise it runs only when it is named.
        reference: ``module:function`` in this package that opens, from a model and its name, the engine whose
            scores it must give; empty where they are those recorded in a bundle.
    """

    format: Format
    needs: str
    package: str
    extra: str
    target: str
    fastest: tuple[str, ...]
    precisions: tuple[str, ...] = ()
    numpy_below: int = 0
    install: str = ""
    also: Format | None = None
    automatic: bool = True
    reference: str = ""


ENGINES: dict[str, _Entry] = {
    "litert": _Entry(
        "tflite", "ai_edge_litert", "ai-edge-litert", "", "litert:LiteRtEngine",
        # A cascade passes few images on to its fp32 file.
        ("int8", "cascade", "fp16", "fp32"),
    ),
    "tflite-runtime": _Entry(
        "tflite", "tflite_runtime", "tflite-runtime", "", "tflite_runtime:TfliteRuntimeEngine", ("fp16", "fp32"),
        precisions=("fp32", "fp16"), numpy_below=2, install="pip install tflite-runtime 'numpy<2'",
    ),
    "onnxruntime": _Entry(
        "onnx", "onnxruntime", "onnxruntime", "onnx", "onnx:OnnxEngine",
        # It computes fp16 in float32 on a CPU, with casts around each operation.
        ("int8", "fp32", "fp16"),
    ),
    "tflite-micro": _Entry(
        "tflite", "tflite_micro", "tflite-micro", "", "tflite_micro:TfliteMicroEngine", (),
        precisions=("int8", "int16x8", "fp32"), install="pip install tflite-micro", also="c-array", automatic=False,
        reference="tflite_micro:open_reference",
    ),
}  # fmt: skip
"""Engines by name; the first installed one that reads a format and is ``automatic`` is ``auto``."""

AUTOMATIC = tuple(name for name, entry in ENGINES.items() if entry.automatic)
"""The engines that ``auto`` chooses from."""

MAX_THREADS = 256
"""More is a mistake on any machine, and some thousands end the process in the interpreter."""

_SAFEST = ("fp32", "fp16", "cascade", "int8", "dynamic", "int16x8")
"""Precisions, from the safest to the riskiest conversion."""


def available(engine: str) -> bool:
    """Whether an engine's package is installed, for this NumPy; nothing is imported."""
    return find_spec(ENGINES[engine].needs) is not None and not _numpy_too_new(engine)


def usable(format: Format, engine: str = "auto", precision: str = "") -> bool:
    """Whether an installed engine runs an artifact.

    Args:
        format: The format of the artifact; some have no engine at all.
        engine: ``auto``, or the one engine that may be used.
        precision: The artifact's; empty when any will do.
    """
    names = AUTOMATIC if engine == "auto" else (check_name(engine),)
    return any(_runs(ENGINES[name], format, precision) and available(name) for name in names)


def check_name(engine: str) -> str:
    """Returns an engine's name, checked.

    Raises:
        UnknownNameError: There is no such engine.
    """
    if engine not in ENGINES:
        raise UnknownNameError.of("engine", engine, ["auto", *ENGINES])
    return engine


def without_engine(format: Format, name: str) -> UsageError:
    """The error for artifacts that run elsewhere: on a server, a Mac, a microcontroller.

    Args:
        format: Their format.
        name: The file, for the message.
    """
    formats = " or ".join(dict.fromkeys(f".{entry.format}" for entry in ENGINES.values()))
    named = [f"Pass --engine {key}" for key, entry in ENGINES.items() if _reads(entry, format)]
    return UsageError(
        f"An artifact must be a {formats} file to run here. Received: {name}, a {format} artifact. "
        f"{', '.join(named or ['Use it where it belongs'])}, or export the model as tflite-int8 too."
    )


def not_installed(format: Format, name: str, engine: str = "auto") -> EnvironmentMissingError:
    """The error that names the pip command of the engine that is missing.

    Args:
        format: The format of the file.
        name: The file, for the message.
        engine: The engine requested; ``auto`` names the first that reads the format.
    """
    key = (
        next(key for key, entry in ENGINES.items() if entry.format == format) if engine == "auto" else engine
    )
    entry = ENGINES[key]
    if find_spec(entry.needs) is not None and _numpy_too_new(key):
        return EnvironmentMissingError(
            f"Running {name} on {key} needs NumPy below {entry.numpy_below}. Received: NumPy {np.__version__}. "
            f"Run: {entry.install}"
        )
    if entry.install:
        return EnvironmentMissingError(
            f"Running {name} on {key} needs the package {entry.package}. Received: it is not installed. "
            f"Run: {entry.install}"
        )
    return EnvironmentMissingError.of_extra(f"Running {name}", entry.package, entry.extra)


def nothing_runs(need: str, artifacts: Sequence[Artifact], engines: Sequence[str]) -> EnvironmentMissingError:
    """The error if no chosen engine runs an artifact, with the pip command of one that would.

    Args:
        need: What needs an engine.
        artifacts: The artifacts to run.
        engines: The engines that may be used; empty means all.
    """
    for artifact in artifacts:
        for key, entry in ENGINES.items():
            chosen = key in (engines or AUTOMATIC)
            if chosen and _runs(entry, artifact.format, artifact.precision) and not available(key):
                return not_installed(artifact.format, artifact.kind, key)
    return EnvironmentMissingError(
        f"{need} needs an engine that runs the artifact. Received: engine {', '.join(engines or AUTOMATIC)} for "
        f"{', '.join(artifact.kind for artifact in artifacts) or 'no artifact'}. Pass another --engine or --artifact."
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
        threads: Threads per inference; more than one is slower on a busy machine.

    Raises:
        UnknownNameError: There is no such engine.
        UsageError: The engine does not run the file, no engine does, or threads is not in
            1..:data:`MAX_THREADS`.
        EnvironmentMissingError: No installed engine reads it.
        ModelFileError: The engine refuses the file.
    """
    if not 1 <= threads <= MAX_THREADS:
        raise UsageError(f"threads must be 1..{MAX_THREADS}. Received: {threads}. Pass --threads 1.")
    readers = [key for key, entry in ENGINES.items() if _reads(entry, format)]
    if engine == "auto":
        readers = [key for key in readers if key in AUTOMATIC]
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
            loaded: Engine = _load(ENGINES[key].target)(model, name, threads)
            return loaded
    raise not_installed(format, name, engine)


def open_reference(engine: str, model: Path | bytes, name: str) -> Engine | None:
    """Opens the engine whose scores another must give; None where those recorded in a bundle count.

    Args:
        engine: The engine that runs the file.
        model: A path, or the file's bytes.
        name: The file's name, for messages.

    Raises:
        EnvironmentMissingError: It is not installed.
        ModelFileError: It refuses the file.
    """
    target = ENGINES[engine].reference if engine in ENGINES else ""
    if not target:
        return None
    opened: Engine = _load(target)(model, name)
    return opened


def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(f"edge_runtime.engines.{module}"), attribute)


def _reads(entry: _Entry, format: Format) -> bool:
    return format in (entry.format, entry.also)


def _runs(entry: _Entry, format: Format, precision: str) -> bool:
    return _reads(entry, format) and (not precision or not entry.precisions or precision in entry.precisions)


def _numpy_too_new(engine: str) -> bool:
    limit = ENGINES[engine].numpy_below
    return limit > 0 and int(np.__version__.partition(".")[0]) >= limit


def choose(bundle: Bundle, kind: str | None, *, engine: str = "auto", allow_failed: bool = False) -> Artifact:
    """Picks the artifact to run.

    Args:
        bundle: An open bundle.
        kind: The artifact the user named, or None for the best one.
        engine: ``auto`` or the engine that must run it.
        allow_failed: Also take one whose verdict is ``fail``.

    Raises:
        UnknownNameError: The bundle has no such artifact, or there is no such engine.
        GateFailedError: It failed its check, or all did.
        EnvironmentMissingError: No installed engine runs any of them.
        UsageError: No engine can run any of them.
    """
    if engine != "auto":
        check_name(engine)
    if kind is not None:
        artifact = bundle.artifact(kind)
        if artifact.verdict == "fail" and not allow_failed:
            raise _failed(bundle, kind)
        return artifact
    names = AUTOMATIC if engine == "auto" else tuple(ENGINES)
    artifacts = tuple(
        entry for entry in bundle.entries if any(_reads(ENGINES[name], entry.format) for name in names)
    )
    if not artifacts:
        other = bundle.manifest.artifacts[0]
        raise without_engine(other.format, f"{bundle.location}/{other.file}")
    if engine != "auto":
        artifacts = tuple(entry for entry in artifacts if _reads(ENGINES[engine], entry.format))
        if not artifacts:
            raise UsageError(
                f"The engine must read one of the bundle's artifacts. Received: engine {engine}, artifacts "
                f"{', '.join(entry.kind for entry in bundle.entries)}. Pass another --engine."
            )
    allowed = [entry for entry in artifacts if allow_failed or entry.verdict != "fail"]
    if not allowed:
        raise _failed(bundle, ", ".join(entry.kind for entry in artifacts))
    runnable = [entry for entry in allowed if usable(entry.format, engine, entry.precision)]
    if not runnable:
        # If the engine is installed, its own refusal is more precise: float artifacts only.
        runnable = [entry for entry in allowed if usable(entry.format, engine)]
    if not runnable:
        raise not_installed(allowed[0].format, allowed[0].file, engine)
    return min(runnable, key=_order)


def _order(artifact: Artifact) -> tuple[int, ...]:
    """By verdict; then, of those that passed, the fastest on its engine, and of the others the safest."""
    trust = ("pass", "unchecked", "inconclusive", "fail").index(artifact.verdict)
    engine, fastest = next(
        (place, entry.fastest)
        for place, entry in enumerate(ENGINES.values())
        if _reads(entry, artifact.format)
    )
    precision = artifact.precision
    risk = _SAFEST.index(precision) if precision in _SAFEST else len(_SAFEST)
    if artifact.verdict != "pass":
        return trust, risk, engine
    if precision not in fastest:
        return trust, 1, risk, engine
    return trust, 0, engine, fastest.index(precision)


def _failed(bundle: Bundle, kinds: str) -> GateFailedError:
    return GateFailedError(
        f"An artifact must not have failed its check. Received: {kinds} with verdict fail in "
        f"{bundle.location}. Choose another --artifact, or pass --allow-failed."
    )
