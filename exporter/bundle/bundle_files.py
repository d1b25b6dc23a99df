"""Writes a bundle: the manifest with its provenance, and the files that it names."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from edge_runtime.bundle.bundle import Bundle, file_sha256, rule_files
from edge_runtime.bundle.labels import LABELS_FILE, labels_text
from edge_runtime.bundle.manifest import (
    MANIFEST_FILE,
    Artifact,
    Manifest,
    Provenance,
    TensorSpec,
    encode_manifest,
)
from edge_runtime.common.atomic_file import check_file, existing_parent, is_there, usable_path, written_aside
from edge_runtime.common.atomic_folder import check_folder, folder_replaced
from edge_runtime.common.errors import ModelFileError, SnapshipError, UsageError
from edge_runtime.common.native_output import quiet
from edge_runtime.common.temporary import put_back, remove_abandoned, temporary_folder
from edge_runtime.common.versions import own_version, versions_of
from edge_runtime.engines import ENGINES, open_engine
from edge_runtime.golden import GOLDEN_FILE
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.updates.signature import SIGNATURE_FILE
from exporter.formats.kinds import Kind
from exporter.formats.tflite_metadata_tables import ZIP_TIME
from exporter.judge.verdict import CHECK_FILE
from exporter.source.full_model import Source
from exporter.source.input_range import InputRange

REPORT_FILE = "report.html"

_PACKAGES = ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert", "numpy", "pillow")
"""Packages whose versions a bundle records."""


def may_write(out: Path, overwrite: bool) -> None:
    """Checks, before any work, that a bundle may be written to a path.

    Args:
        out: The bundle to write.
        overwrite: Whether an existing bundle may be replaced.

    Raises:
        UsageError: The path holds something other than a bundle, or a bundle that may not be replaced.
    """
    if not out.name:
        raise UsageError(f"A bundle must have a name. Received: --out {out}. Pass --out NAME.bundle.")
    put_back(out)
    with usable_path(out, "--out", "--out must be a usable path"):
        if not is_there(out, follow_links=False):
            return
        if out.is_dir() and not out.is_symlink() and not any(out.iterdir()):
            obstacle = "a folder" if _is_zip(out) else ""
            if not obstacle:
                return
        elif not overwrite:
            raise UsageError(f"A bundle must be new. Received: --out {out}, which exists. Pass --overwrite.")
        else:
            obstacle = _obstacle(out)
    if obstacle:
        raise UsageError(
            f"Only a bundle may be overwritten. Received: --out {out}, {obstacle}. "
            "Pass another --out, or remove it yourself."
        )


def check_writable(out: Path) -> None:
    """Checks, before any work, that a path is writable.

    Args:
        out: A path that :func:`may_write` accepted.

    Raises:
        UsageError: The path cannot be written.
    """
    if _is_zip(out):
        check_file(out, "--out")
    else:
        check_folder(out)


def _is_zip(out: Path) -> bool:
    return out.suffix.lower() == ".zip"


def _obstacle(out: Path) -> str:
    """Why a path must not be replaced, in words; empty for a bundle with nothing else in it."""
    if out.is_symlink():
        return "a link"
    if out.is_dir() and _is_zip(out):
        return "a folder"
    try:
        manifest = Bundle.open(out).manifest
    except SnapshipError:
        return "which is something else"
    if not out.is_dir():
        return ""
    files = [MANIFEST_FILE, LABELS_FILE, CHECK_FILE, REPORT_FILE, GOLDEN_FILE, SIGNATURE_FILE]
    files += [artifact.file for artifact in manifest.artifacts]
    files += rule_files(manifest)
    ours = {PurePosixPath(file).parts[0] for file in files}
    remove_abandoned(out)
    others = sorted(entry.name for entry in out.iterdir() if entry.name not in ours)
    return f"which also holds {others[0]}" if others else ""


@contextmanager
def bundle_in_making(out: Path) -> Iterator[Path]:
    """Yields an empty folder that becomes the bundle when the block succeeds.

    Args:
        out: The bundle: a folder, or a file that ends in ``.zip``.

    Yields:
        The folder to fill.
    """
    if not _is_zip(out):
        with folder_replaced(out) as folder:
            yield folder
        return
    check_writable(out)
    with temporary_folder(existing_parent(out)) as folder:
        yield folder
        with written_aside(out) as file:
            write_zip(folder, file)


def describe(kind: Kind, file: Path, spec: InputSpec, classes: int) -> Artifact:
    """The manifest's entry of a model file; one that a device engine reads is loaded and run once.

    Args:
        kind: Its kind.
        file: The file.
        spec: The model's input.
        classes: Length of the model's score vector.

    Raises:
        EnvironmentMissingError: No engine for it is installed.
        ModelFileError: The engine refuses it, or its scores are NaN or infinite.
    """
    if any(engine.format == kind.format for engine in ENGINES.values()):
        taken, given, further = _tensors(kind, file)
    else:
        step = (1.0, 0) if kind.takes == "uint8" else (None, None)
        taken = TensorSpec("image", kind.takes, (kind.batch, *spec.shape), *step)
        given, further = TensorSpec("scores", "float32", (kind.batch, classes)), ()
    return Artifact(
        kind=kind.name,
        # With "/": a SavedModel has a folder of its own.
        file=PurePosixPath(*file.parts[-1 - kind.ending.count("/") :]).as_posix(),
        format=kind.format,
        precision=kind.precision,
        sha256=file_sha256(file),
        bytes=file.stat().st_size,
        input=taken,
        output=given,
        outputs=further,
    )


def _tensors(kind: Kind, file: Path) -> tuple[TensorSpec, TensorSpec, tuple[TensorSpec, ...]]:
    with quiet():
        engine = open_engine(file, kind.format, file.name)
    try:
        scores = engine.run(np.full(engine.input.shape[1:], 127, dtype=np.uint8))
        if not np.isfinite(scores).all():
            raise ModelFileError(
                f"A model's scores must be numbers. Received: NaN or infinity from {file.name} on a gray image. "
                f"Leave {kind.name} out with --artifacts, or train with smaller weights."
            )
        return engine.input, engine.output, engine.outputs
    finally:
        engine.close()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes ``manifest.json`` and ``labels.txt``.

    Args:
        folder: The bundle's folder.
        manifest: Its manifest.
    """
    (folder / LABELS_FILE).write_text(labels_text(manifest.labels), encoding="utf-8")
    (folder / MANIFEST_FILE).write_bytes(encode_manifest(manifest))


def write_zip(folder: Path, packed: IO[bytes]) -> None:
    """Packs a folder; the same content gives the same bytes.

    Args:
        folder: The folder.
        packed: The archive to write.
    """
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), ZIP_TIME)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = 0o644 << 16
                archive.writestr(info, path.read_bytes())


def provenance(source: Source, calibrated: int, input_range: InputRange) -> Provenance:
    """Describes an export.

    Args:
        source: The full model's source.
        calibrated: Number of calibration images.
        input_range: Pixel range the full model expects.
    """
    return Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        snapship=own_version(),
        model=source.architecture,
        source_sha256=source.sha256,
        data_sha256="" if source.record is None else source.record.data_sha256,
        calibration_images=calibrated,
        versions=versions_of(_PACKAGES),
        input_range=input_range,
    )
