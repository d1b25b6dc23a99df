"""A bundle: a folder, or the same as one ``.zip``, verified before anything is used."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from edge_runtime.bundle.cascade_entry import cascade_entry
from edge_runtime.bundle.labels import LABELS_FILE, parse_labels
from edge_runtime.bundle.manifest import MANIFEST_FILE, Artifact, Cascade, Manifest, read_manifest
from edge_runtime.bundle.store import FolderStore, Store, ZipStore, check_inside, unreadable
from edge_runtime.common.atomic_file import is_there
from edge_runtime.common.errors import BundleError, UnknownNameError
from edge_runtime.common.temporary import put_back
from edge_runtime.common.text import is_utf8

MAX_FILE_BYTES = 2_000_000_000
"""Limit of one file inside a bundle; the flatbuffer format itself ends at 2 GB."""

MAX_TEXT_BYTES = 50_000_000
"""Limit of a bundle's golden examples, and of one golden image."""

MAX_MANIFEST_BYTES = 5_000_000
"""Limit of the manifest and of the labels; 21,000 labels take half a megabyte."""


class Bundle:
    """A bundle that is open for reading.

    Attributes:
        location: The folder or zip.
        manifest: Its verified manifest.
    """

    def __init__(self, location: Path, manifest: Manifest, store: Store, *, in_memory: bool = False) -> None:
        self.location = location
        self.manifest = manifest
        self._store = store
        self._in_memory = in_memory

    @classmethod
    def open(cls, location: str | os.PathLike[str], *, in_memory: bool = False) -> Bundle:
        """Opens a bundle and checks its manifest and labels.

        Model files are verified on access, by :meth:`model`.

        Args:
            location: A folder that holds ``manifest.json``, or a zip of one.
            in_memory: Whether :meth:`model` reads model files of a folder into memory, too. Overwriting
                a file in place while an interpreter has it mapped would crash the process.

        Raises:
            BundleError: The bundle does not exist, or its manifest or labels are damaged.
        """
        path = Path(location)
        store: Store
        put_back(path)
        try:
            there = is_there(path)
        except OSError as error:
            raise unreadable(path, error) from error
        if there and path.is_dir():
            # A link such as DIR/current may point elsewhere later; this bundle must not.
            store = FolderStore(path.resolve())
        elif there and path.is_file():
            store = ZipStore(path)
        else:
            raise BundleError(
                f"A bundle must exist. Received: {path}. "
                "Check the path, or make one with: snapship export RUN --out BUNDLE"
            )
        manifest = read_manifest(store.read(MANIFEST_FILE, MAX_MANIFEST_BYTES), f"{path}/{MANIFEST_FILE}")
        for artifact in manifest.artifacts:
            check_inside(artifact.file)
        for file in rule_files(manifest):
            check_inside(file)
        labels = parse_labels(_text(store, LABELS_FILE, path), f"{path}/{LABELS_FILE}")
        if labels != manifest.labels:
            raise BundleError(
                f"{LABELS_FILE} must list the manifest's labels. Received: {len(labels)} labels, "
                f"manifest {len(manifest.labels)}, or another order, in {path}. Export again."
            )
        return cls(path, manifest, store, in_memory=in_memory)

    @property
    def entries(self) -> tuple[Artifact, ...]:
        """Everything that can be run by its kind: the artifacts, then the cascade if there is one."""
        cascade = cascade_entry(self.manifest)
        return self.manifest.artifacts if cascade is None else (*self.manifest.artifacts, cascade)

    def artifact(self, kind: str) -> Artifact:
        """Returns the entry of an artifact, or of the cascade.

        Args:
            kind: Such as ``tflite-int8`` or ``tflite-cascade``.

        Raises:
            UnknownNameError: The bundle has no such artifact.
        """
        for entry in self.entries:
            if entry.kind == kind:
                return entry
        raise UnknownNameError.of("artifact", kind, [entry.kind for entry in self.entries])

    def model(self, artifact: Artifact) -> Path | bytes:
        """Returns a model file after verifying its size and hash.

        Args:
            artifact: An entry of this bundle; of a cascade, one of its parts.

        Returns:
            The path in a folder, so that an interpreter can map it. The bytes for a zip, for a bundle
            opened with ``in_memory``, and for a path that is not UTF-8, which no interpreter opens.

        Raises:
            BundleError: The file is missing, outside the bundle, or changed since the export.
        """
        path = None if self._in_memory else self._store.path(artifact.file)
        if path is None or not is_utf8(str(path)):
            data = self._store.read(artifact.file, min(artifact.bytes, MAX_FILE_BYTES))
            self._compare(artifact, len(data), hashlib.sha256(data).hexdigest())
            return data
        try:
            size = path.stat().st_size
            # A wrong size suffices: do not read the file.
            found = file_sha256(path) if size == artifact.bytes else ""
        except OSError as error:
            raise unreadable(path, error) from error
        self._compare(artifact, size, found)
        return path

    def read(self, file: str, sha256: str | None = None) -> bytes:
        """Reads a small file of the bundle, such as a golden image.

        Args:
            file: Path inside the bundle.
            sha256: The expected hash.

        Raises:
            BundleError: The file is missing, outside the bundle, or has another hash.
        """
        data = self._store.read(file, MAX_TEXT_BYTES)
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise BundleError(
                f"A bundle's files must be unchanged. Received: another sha256 for {file} in "
                f"{self.location}. Copy the bundle again or export again."
            )
        return data

    def rule_file(self, entry: Artifact | Cascade) -> bytes | None:
        """Reads the parameters of an artifact's known rule after verifying their hash.

        Args:
            entry: An artifact of this bundle, or its cascade.

        Returns:
            The file's bytes; None without such a rule, and for one whose score needs no parameters.

        Raises:
            BundleError: The file is missing, outside the bundle, or changed since the export.
        """
        rule = entry.rules and entry.rules.known
        return self.read(rule.file, rule.sha256) if rule and rule.file else None

    def has(self, file: str) -> bool:
        """Whether the bundle holds a file that the manifest does not list, such as ``check.json``.

        Args:
            file: Path inside the bundle.
        """
        return self._store.has(file)

    def verify(self) -> None:
        """Verifies every file that the manifest names.

        Raises:
            BundleError: One is missing or changed.
        """
        for artifact in self.manifest.artifacts:
            self.model(artifact)
        for file, sha256 in rule_files(self.manifest).items():
            self.read(file, sha256)
        if self.manifest.golden is not None:
            self.read(self.manifest.golden.file, self.manifest.golden.sha256)

    def _compare(self, artifact: Artifact, size: int, sha256: str) -> None:
        if size != artifact.bytes:
            raise BundleError(
                f"A model file must be unchanged since its export. Received: {artifact.file} with "
                f"{size:,} bytes, manifest {artifact.bytes:,}, in {self.location}. "
                "Copy the bundle again or export again."
            )
        if sha256 != artifact.sha256:
            raise BundleError(
                f"A model file must be unchanged since its export. Received: {artifact.file} with "
                f"sha256 {sha256[:12]}..., manifest {artifact.sha256[:12]}..., in "
                f"{self.location}. Copy the bundle again or export again."
            )


def rule_files(manifest: Manifest) -> dict[str, str]:
    """The parameter files of a bundle's rules: hashes, 64 hex digits, by path inside the bundle.

    Args:
        manifest: The bundle's manifest.
    """
    entries = (*manifest.artifacts, manifest.cascade)
    known = [entry.rules.known for entry in entries if entry and entry.rules and entry.rules.known]
    return {rule.file: rule.sha256 for rule in known if rule.file}


def file_sha256(path: Path) -> str:
    """Hash of a file in constant memory, 64 hex digits."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(store: Store, file: str, location: Path) -> str:
    try:
        return store.read(file, MAX_MANIFEST_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(
            f"{file} must be UTF-8 text. Received: other bytes in {location}. Export again."
        ) from error
