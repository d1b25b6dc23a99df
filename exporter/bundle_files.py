"""Writes a bundle: the manifest and everything that it names."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from edge_runtime.bundle import Bundle, file_sha256
from edge_runtime.engines import open_engine
from edge_runtime.errors import SnapshipError, UsageError
from edge_runtime.golden import GOLDEN_FILE
from edge_runtime.labels import LABELS_FILE, labels_text
from edge_runtime.manifest import MANIFEST_FILE, Artifact, Manifest, encode_json
from exporter.kinds import Kind
from exporter.replacing import built_aside, side_folder
from exporter.verdict import CHECK_FILE

REPORT_FILE = "report.html"

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def may_write(out: Path, overwrite: bool) -> None:
    """Checks before the work that a bundle may be written there.

    Args:
        out: The bundle to write.
        overwrite: Whether one that is there may be replaced.

    Raises:
        UsageError: Something is there that is no bundle, or may not be replaced.
    """
    if not out.name:
        raise UsageError(f"A bundle must have a name. Received: --out {out}. Pass --out NAME.bundle.")
    try:
        try:
            os.lstat(out)
        except (FileNotFoundError, NotADirectoryError):
            return
        if out.is_dir() and not out.is_symlink() and not any(out.iterdir()):
            foreign = "a folder" if _is_zip(out) else ""
            if not foreign:
                return
        elif not overwrite:
            raise UsageError(f"A bundle must be new. Received: --out {out}, which exists. Pass --overwrite.")
        else:
            foreign = _foreign(out)
    except OSError as error:
        raise UsageError(
            f"--out must be a usable path. Received: {out} ({error.strerror}). Pass another --out."
        ) from error
    if foreign:
        raise UsageError(
            f"Only a bundle may be overwritten. Received: --out {out}, {foreign}. "
            "Pass another --out, or remove it yourself."
        )


def _is_zip(out: Path) -> bool:
    return out.suffix.lower() == ".zip"


def _foreign(out: Path) -> str:
    """What speaks against replacing a path, in words; empty where it is a bundle and nothing else."""
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
    files = [MANIFEST_FILE, LABELS_FILE, CHECK_FILE, REPORT_FILE, GOLDEN_FILE]
    files += [artifact.file for artifact in manifest.artifacts]
    ours = {PurePosixPath(file).parts[0] for file in files}
    others = sorted(entry.name for entry in out.iterdir() if entry.name not in ours)
    return f"which also holds {others[0]}" if others else ""


@contextmanager
def bundle_in_making(out: Path) -> Iterator[Path]:
    """Lends an empty folder that becomes the bundle when the block succeeds.

    Args:
        out: The bundle: a folder, or a file that ends in ``.zip``.

    Yields:
        The folder to fill.
    """
    if not _is_zip(out):
        with built_aside(out) as folder:
            yield folder
        return
    folder = side_folder(out)
    packed: Path | None = None
    try:
        yield folder
        try:
            handle, name = tempfile.mkstemp(prefix=f".{out.name}-", dir=folder.parent)
            os.close(handle)
            packed = Path(name)
            _zip(folder, packed)
            packed.chmod(0o644)
            out.parent.mkdir(parents=True, exist_ok=True)
            os.replace(packed, out)
        except OSError as error:
            raise UsageError(
                f"The output's place must be writable. Received: {out} ({error.strerror}). Pass another --out."
            ) from error
    finally:
        if packed is not None:
            packed.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def describe(kind: Kind, file: Path) -> Artifact:
    """Loads a model file on its device engine and describes it.

    Args:
        kind: Its kind.
        file: The file.

    Raises:
        EnvironmentMissingError: No engine for it is installed.
        ModelFileError: The engine refuses it.
    """
    engine = open_engine(file, kind.format, file.name)
    try:
        return Artifact(
            kind=kind.name,
            file=file.name,
            format=kind.format,
            precision=kind.precision,
            sha256=file_sha256(file),
            bytes=file.stat().st_size,
            input=engine.input,
            output=engine.output,
        )
    finally:
        engine.close()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes ``manifest.json`` and ``labels.txt``.

    Args:
        folder: The bundle in the making.
        manifest: Its manifest.
    """
    (folder / LABELS_FILE).write_text(labels_text(manifest.labels), encoding="utf-8")
    (folder / MANIFEST_FILE).write_bytes(encode_json(manifest))


def _zip(folder: Path, packed: Path) -> None:
    """The same content gives the same bytes."""
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _ZIP_TIME)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = 0o644 << 16
                archive.writestr(info, path.read_bytes())
