"""Copies a bundle into a new folder, file by file as its manifest names them.

Names come from the manifest, never from the zip's own list, so nothing that the manifest does not
name reaches the disk, however many entries an archive has.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from edge_runtime.bundle.bundle import Bundle, rule_files
from edge_runtime.bundle.labels import LABELS_FILE
from edge_runtime.bundle.manifest import MANIFEST_FILE
from edge_runtime.bundle.store import check_inside
from edge_runtime.common.errors import BundleError
from edge_runtime.golden import read_golden
from edge_runtime.updates.signature import SIGNATURE_FILE


def copy_head(source: Bundle, folder: Path) -> Bundle:
    """Copies the manifest, the labels and, if there is one, the signature.

    Args:
        source: An open bundle.
        folder: An empty folder.

    Returns:
        The opened copy, without its other files.

    Raises:
        BundleError: One is damaged.
        OSError: Writing failed.
    """
    for file in (MANIFEST_FILE, LABELS_FILE, SIGNATURE_FILE):
        if file != SIGNATURE_FILE or source.has(file):
            _write_new(folder / file, source.read(file))
    return Bundle.open(folder)


def copy_body(source: Bundle, copy: Bundle, max_bytes: int, after: Callable[[str], None]) -> None:
    """Copies model files, the parameters of rules and golden examples, each verified while it is read.

    Args:
        source: The open bundle.
        copy: The result of :func:`copy_head`, whose manifest is used.
        max_bytes: Limit of all files together.
        after: Called with each file's name once it is written.

    Raises:
        BundleError: A file is missing, changed or named twice, or all together are too large.
        OSError: Writing failed.
    """
    room = _Room(copy.location, max_bytes)
    for artifact in copy.manifest.artifacts:
        path = room.take(artifact.file, artifact.bytes)
        model = source.model(artifact)
        if isinstance(model, Path):
            with model.open("rb") as origin, path.open("xb") as file:
                shutil.copyfileobj(origin, file, 1 << 20)
        else:
            _write_new(path, model)
        after(artifact.file)
    for name, sha256 in rule_files(copy.manifest).items():
        parameters = source.read(name, sha256)
        _write_new(room.take(name, len(parameters)), parameters)
        after(name)
    reference = copy.manifest.golden
    if reference is None:
        return
    index = source.read(reference.file, reference.sha256)
    _write_new(room.take(reference.file, len(index)), index)
    after(reference.file)
    done: dict[str, str] = {}
    for example in read_golden(copy).examples:
        if done.get(example.file) != example.sha256:
            image = source.read(example.file, example.sha256)
            _write_new(room.take(example.file, len(image)), image)
            done[example.file] = example.sha256
            after(example.file)


def _write_new(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)


class _Room:
    """Chooses the path of each file and adds up sizes."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes, self._used = folder, max_bytes, 0

    def take(self, file: str, size: int) -> Path:
        self._used += size
        if self._used > self._max_bytes:
            raise BundleError(
                f"A bundle must have at most {self._max_bytes:,} bytes. Received: more with {file}. "
                "Check the source."
            )
        path = self._folder / check_inside(file)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            taken = path.exists()
        except (FileExistsError, NotADirectoryError):
            taken = True
        if taken:
            raise BundleError(
                f"A bundle must name each file once. Received: {file!r} twice. Export the bundle again."
            )
        return path
