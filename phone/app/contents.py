"""Every file of the app by its path, made in memory from a bundle and the engine's files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import Artifact
from edge_runtime.bundle.strict_json import encode_json
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.common.versions import own_version
from phone.app.app_json import APP_FILE, App, EnginePart, JpegPart, file_entries, version_of
from phone.app.licenses import LICENSES, licenses_text
from phone.app.reduced_bundle import reduced_bundle
from phone.app.static_files import static_files, with_joined_modules
from phone.app.web_manifest import WEB_MANIFEST, web_manifest
from phone.engine.fetching import engine_files
from phone.engine.pinned import JPEG, LITERT

BUNDLE_FOLDER = "bundle/"


def app_files(
    bundle: Bundle, artifact: Artifact, engine: Path | None = None, progress: Progress = no_progress
) -> tuple[App, dict[str, bytes]]:
    """Makes the app.

    Args:
        bundle: An open bundle.
        artifact: The artifact to put in.
        engine: Folder of the engine's packages; None for the cache, or npm.
        progress: Told what takes long.

    Returns:
        ``app.json`` as a record, and every file by its path, ``app.json`` included.

    Raises:
        BundleError: A file of the bundle is missing or changed, or it has no golden examples.
        UsageError: The engine's folder cannot be used.
        EnvironmentMissingError: The engine's files cannot be had.
    """
    inside = {f"{BUNDLE_FOLDER}{path}": data for path, data in reduced_bundle(bundle, artifact).items()}
    others, of_jpeg = engine_files(engine, progress)
    files = with_joined_modules(static_files()) | others | inside
    files[WEB_MANIFEST] = web_manifest(bundle.manifest.name, files.get(WEB_MANIFEST, b"{}"))
    files[LICENSES] = licenses_text(of_jpeg)
    app = _app(bundle.manifest.name, artifact.kind, files)
    files[APP_FILE] = encode_json(app)
    return app, files


def _app(name: str, kind: str, files: Mapping[str, bytes]) -> App:
    entries = file_entries(files)
    return App(
        schema_version=1,
        name=name,
        version=version_of(entries),
        made_by=f"snapship {own_version()}",
        artifact=kind,
        engine=EnginePart("litertjs", LITERT.version, "compat"),
        jpeg=JpegPart(JPEG.name, JPEG.version),
        files=entries,
    )
