"""What ``--apk`` and ``--android-project`` put around an app: its names, version, icon and key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.common.text import printable
from phone.apk.building import make_apk
from phone.apk.names import MAX_LABEL, check_package, package_name, version_code
from phone.apk.signing_key import PASSWORD_VARIABLE, SigningKey
from phone.app.app_json import App
from phone.app.contents import BUNDLE_FOLDER
from phone.gradle.writing import write_project

ICON = "icons/icon-512.png"
FULL_ICON = "icons/maskable-512.png"
"""Without rounded corners, which a launcher's own shape would show."""

_SHOWN_OF_VERSION = 12


@dataclass(frozen=True)
class AndroidShell:
    """An Android app without its content; made before anything is written, since each part may be refused.

    Attributes:
        label: Its name.
        package: Its application id.
        version_code: A newer bundle has a higher one, so it is an update.
    """

    label: str
    package: str
    version_code: int

    @classmethod
    def of(cls, manifest: Manifest, package: str | None) -> AndroidShell:
        """The shell of a bundle's app.

        Args:
            manifest: The bundle's.
            package: The application id; None makes one of the bundle's name.

        Raises:
            UsageError: The package or the bundle's time cannot be used.
        """
        chosen = package or package_name(manifest.name)
        check_package(chosen)
        return cls(_label(manifest.name), chosen, version_code(manifest.provenance.created))

    def write_apk(self, app: App, files: Mapping[str, bytes], out: Path, key: SigningKey) -> None:
        """Writes a package with the web app; the same bundle, app and key give the same bytes.

        Args:
            app: The web app.
            files: Its files by path.
            out: The ``.apk``.
            key: What signs it.

        Raises:
            UsageError: It cannot be written.
        """
        make_apk(
            files,
            out,
            label=self.label,
            package=self.package,
            version_code=self.version_code,
            version_name=app.version[:_SHOWN_OF_VERSION],
            icon_png=files[FULL_ICON],
            key=key,
        )

    def write_project(self, app: App, files: Mapping[str, bytes], out: Path) -> None:
        """Writes a Gradle project of a native app with the same bundle.

        Args:
            app: The web app.
            files: Its files by path.
            out: The folder.

        Raises:
            UsageError: It cannot be written.
        """
        bundle = {
            path.removeprefix(BUNDLE_FOLDER): data
            for path, data in files.items()
            if path.startswith(BUNDLE_FOLDER)
        }
        write_project(
            bundle,
            out,
            label=self.label,
            package=self.package,
            version_code=self.version_code,
            version_name=app.version[:_SHOWN_OF_VERSION],
            icon_png=files[ICON],
        )


def signing_key(file: Path | None) -> SigningKey:
    """The key of ``--apk-key``; its password is in the environment.

    Args:
        file: None for the user's debug key, which is made at its first use.

    Raises:
        UsageError: The key cannot be used.
        EnvironmentMissingError: cryptography is not installed.
    """
    return SigningKey.debug() if file is None else SigningKey.load(file, os.environ.get(PASSWORD_VARIABLE))


def _label(name: str) -> str:
    """The bundle's name as Android takes it."""
    return printable(name).strip()[:MAX_LABEL] or "Classifier"
