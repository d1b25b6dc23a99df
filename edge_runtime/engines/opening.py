"""From an entry of a bundle to an engine: one file, or the two of a cascade."""

from __future__ import annotations

from collections.abc import Callable

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.cascade_entry import CascadeEntry, files_of
from edge_runtime.bundle.manifest import Artifact
from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines.base import Engine
from edge_runtime.engines.cascade import CascadeEngine
from edge_runtime.engines.selection import open_engine, open_reference


def engine_maker(
    bundle: Bundle, artifact: Artifact, *, engine: str = "auto", threads: int = 1
) -> Callable[[], Engine]:
    """Verifies the files of an entry, and returns what loads them; each call makes an engine of its own.

    A cascade loads both files at once, although the second may never be used: that it is missing, changed
    or refused must be found when it is opened, not at the first image that needs it, and that image
    would wait for it.

    Args:
        bundle: An open bundle.
        artifact: One of its entries.
        engine: ``auto`` or an engine's name.
        threads: Threads per inference.

    Raises:
        BundleError: A file is missing or changed.
    """
    makers = [_file_maker(bundle, entry, engine, threads) for entry in files_of(artifact)]

    def make() -> Engine:
        engines: list[Engine] = []
        try:
            for load in makers:
                engines.append(load())
            return _joined(artifact, engines)
        except BaseException:
            for opened in engines:
                opened.close()
            raise

    return make


def open_reference_of(bundle: Bundle, artifact: Artifact, engine: str) -> Engine | None:
    """Opens what an engine's scores of an entry must equal; None where those recorded in the bundle count.

    Args:
        bundle: An open bundle.
        artifact: One of its entries.
        engine: The engine that runs it.

    Raises:
        EnvironmentMissingError: It is not installed.
        ModelFileError: It refuses a file.
    """
    opened = [open_reference(engine, bundle.model(entry), entry.file) for entry in files_of(artifact)]
    found = [one for one in opened if one is not None]
    return _joined(artifact, found) if found else None


def _file_maker(bundle: Bundle, entry: Artifact, engine: str, threads: int) -> Callable[[], Engine]:
    model = bundle.model(entry)
    name = f"{bundle.location}/{entry.file}"

    def make() -> Engine:
        opened = open_engine(model, entry.format, name, engine=engine, threads=threads)
        try:
            _check(opened, entry, name)
        except ModelFileError:
            opened.close()
            raise
        return opened

    return make


def _joined(artifact: Artifact, engines: list[Engine]) -> Engine:
    if isinstance(artifact, CascadeEntry):
        first, second = engines
        return CascadeEngine(first, second, artifact.margin)
    return engines[0]


def _check(engine: Engine, entry: Artifact, name: str) -> None:
    """Checks the tensors of a file against the manifest."""
    found = (engine.input.dtype, engine.input.shape[1:], engine.output.shape[1:])
    expected = (entry.input.dtype, entry.input.shape[1:], entry.output.shape[1:])
    if found != expected:
        raise ModelFileError(
            f"A model's tensors must match the manifest. Received: {name} with {found}, manifest "
            f"{expected}. Export the bundle again."
        )
