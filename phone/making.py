"""From a bundle to an app: the order of the steps.

::

    outputs    may they be written?             nothing is read before
    bundle     open, verify, choose             edge_runtime
    contents   engine, pages, reduced bundle    phone.app, phone.engine
    outputs    folder, single file, APK, ...    each whole, or not at all
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import Artifact
from edge_runtime.common.atomic_file import check_file, write_whole
from edge_runtime.common.errors import UsageError
from edge_runtime.common.progress import Progress, no_progress
from phone.android_shell import AndroidShell, signing_key
from phone.apk.signing_key import SigningKey
from phone.app.app_folder import check_place, write_app
from phone.app.app_json import App
from phone.app.contents import BUNDLE_FOLDER, app_files
from phone.app.reduced_bundle import KINDS, chosen_artifact
from phone.disk.outputs import check_apart
from phone.gradle.writing import check_place as check_project_place
from phone.single_file.page import single_file_page

_GZIP_LEVEL = 6
"""Of most static hosts."""


@dataclass(frozen=True)
class PhoneConfig:
    """What to make of a bundle.

    Attributes:
        bundle: A folder or zip.
        out: The app's folder; None for none.
        single_file: An HTML file that contains the whole app; None for none.
        apk: An Android package that contains the app; None for none.
        apk_key: The key that signs it; None for the user's debug key.
        android_project: Folder for a Gradle project of a native app; None for none.
        android_package: The application id of both; None makes one of the bundle's name.
        artifact: The artifact to put in, one of :data:`phone.app.reduced_bundle.KINDS`.
        allow_failed: Also take one that failed its check.
        engine: Folder of the engine's packages; None for the cache, or npm.
    """

    bundle: Path
    out: Path | None = None
    single_file: Path | None = None
    apk: Path | None = None
    apk_key: Path | None = None
    android_project: Path | None = None
    android_package: str | None = None
    artifact: str = KINDS[0]
    allow_failed: bool = False
    engine: Path | None = None


@dataclass(frozen=True)
class Made:
    """What was made.

    Attributes:
        app: Its ``app.json``.
        artifact: The manifest's entry of the model inside.
        bytes: Size of all files.
        download: The same compressed by gzip, as most hosts send them.
        outputs: What was written, by option.
    """

    app: App
    artifact: Artifact
    bytes: int
    download: int
    outputs: dict[str, Path]


def make_app(config: PhoneConfig, progress: Progress = no_progress) -> Made:
    """Makes an app that classifies on a phone and tests itself there.

    Args:
        config: What to make, and where.
        progress: Told each step.

    Returns:
        What was made.

    Raises:
        UsageError: An output cannot be written, or an option does not fit the bundle.
        BundleError: The bundle is damaged, or has no golden examples.
        GateFailedError: The artifact failed its check.
        EnvironmentMissingError: The engine's files cannot be had.
    """
    _check_outputs(config)
    progress(f"Reading {config.bundle}", 0, 0)
    bundle = Bundle.open(config.bundle)
    artifact = chosen_artifact(bundle, config.artifact, allow_failed=config.allow_failed)
    shell, key = _android(config, bundle)
    app, files = app_files(bundle, artifact, config.engine, progress)
    outputs = _write(config, files, progress)
    if config.apk is not None and shell is not None and key is not None:
        progress(f"Writing {config.apk}", 0, 0)
        shell.write_apk(app, files, config.apk, key)
        outputs["apk"] = config.apk
    if config.android_project is not None and shell is not None:
        progress(f"Writing {config.android_project}", 0, 0)
        shell.write_project(app, files, config.android_project)
        outputs["android-project"] = config.android_project
    return Made(app, artifact, sum(map(len, files.values())), _download(files), outputs)


def _check_outputs(config: PhoneConfig) -> None:
    """Before anything is read: a wrong output should not be told after a download."""
    check_apart(
        {"BUNDLE": config.bundle, "--apk-key": config.apk_key},
        {
            "--out": config.out,
            "--single-file": config.single_file,
            "--apk": config.apk,
            "--android-project": config.android_project,
        },
    )
    if config.out is not None:
        check_place(config.out)
    if config.single_file is not None:
        check_file(config.single_file, "--single-file")
    if config.apk is not None:
        check_file(config.apk, "--apk")
    elif config.apk_key is not None:
        raise UsageError(
            "--apk-key belongs to --apk. Received: no --apk. Pass --apk FILE.apk, or leave it out."
        )
    if config.android_project is not None:
        check_project_place(config.android_project)
    if config.android_package is not None and config.apk is None and config.android_project is None:
        raise UsageError(
            "--android-package belongs to --apk and --android-project. Received: neither. Pass one of them."
        )


def _android(config: PhoneConfig, bundle: Bundle) -> tuple[AndroidShell | None, SigningKey | None]:
    """What may be refused is made before the engine is fetched and anything written."""
    if config.apk is None and config.android_project is None:
        return None, None
    shell = AndroidShell.of(bundle.manifest, config.android_package)
    return shell, signing_key(config.apk_key) if config.apk is not None else None


def _write(config: PhoneConfig, files: Mapping[str, bytes], progress: Progress) -> dict[str, Path]:
    outputs = {}
    if config.out is not None:
        progress(f"Writing {config.out}", 0, 0)
        write_app(files, config.out)
        outputs["out"] = config.out
    if config.single_file is not None:
        progress(f"Writing {config.single_file}", 0, 0)
        write_whole(config.single_file, single_file_page(files), "--single-file")
        outputs["single-file"] = config.single_file
    return outputs


def _download(files: Mapping[str, bytes]) -> int:
    # The golden examples are images, which gzip leaves as they are.
    return sum(
        len(data) if path.startswith(f"{BUNDLE_FOLDER}golden/") else len(gzip.compress(data, _GZIP_LEVEL))
        for path, data in files.items()
    )
