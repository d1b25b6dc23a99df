"""From a bundle to an app: the order of the steps.

::

    outputs    may they be written?             nothing is read before
    bundle     open, verify, choose             edge_runtime
    contents   engine, pages, reduced bundle    phone.app, phone.engine
    outputs    folder, single file, APK         each whole, or not at all
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.atomic_file import check_file, write_whole
from edge_runtime.common.errors import UsageError
from edge_runtime.common.progress import Progress, no_progress
from phone.app.app_folder import check_place, write_app
from phone.app.app_json import App
from phone.app.contents import app_files
from phone.app.reduced_bundle import KINDS, chosen_artifact


@dataclass(frozen=True)
class PhoneConfig:
    """What to make of a bundle.

    Attributes:
        bundle: A folder or zip.
        out: The app's folder; None for none.
        artifact: The artifact to put in, one of :data:`phone.app.reduced_bundle.KINDS`.
        engine: Folder of the engine's packages; None for the cache, or npm.
        single_file: An HTML file that contains the whole app.
        allow_failed: Also take an artifact that failed its check.
    """

    bundle: Path
    out: Path | None = None
    artifact: str = KINDS[0]
    engine: Path | None = None
    single_file: Path | None = None
    allow_failed: bool = False


@dataclass(frozen=True)
class Made:
    """What was made.

    Attributes:
        app: ``app.json`` of it.
        bytes: Size of all its files.
        compressed: The same as a static host sends them, each compressed by gzip.
        model_bytes: Size of the model inside.
        outputs: The written path, by option.
        examples: How many golden examples the phone replays.
    """

    app: App
    bytes: int
    compressed: int
    model_bytes: int
    examples: int
    outputs: dict[str, Path] = field(default_factory=dict)


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
        EnvironmentMissingError: The engine's files, or a package, cannot be had.
    """
    _check_outputs(config)
    progress(f"Reading {config.bundle}", 0, 0)
    bundle = Bundle.open(config.bundle)
    artifact = chosen_artifact(bundle, config.artifact, allow_failed=config.allow_failed)
    app, files = app_files(bundle, artifact, config.engine, progress)
    outputs: dict[str, Path] = {}
    if config.out is not None:
        progress(f"Writing {config.out}", 0, 0)
        write_app(files, config.out)
        outputs["out"] = config.out
    return Made(
        app=app,
        bytes=sum(map(len, files.values())),
        compressed=0,
        model_bytes=artifact.bytes,
        examples=sum(path.startswith("bundle/golden/") for path in files) - 1,
        outputs=outputs,
    )


def _check_outputs(config: PhoneConfig) -> None:
    """Before anything is read: a wrong output should not be told after a download."""
    if config.out is not None:
        check_place(config.out)
    if config.single_file is not None:
        check_file(config.single_file, "--single-file")
