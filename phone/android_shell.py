"""What ``--apk`` puts around the web app: names, version, icon and key of the Android app."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.common.text import printable
from phone.apk.building import make_apk
from phone.apk.names import check_package, package_name, version_code
from phone.apk.signing_key import PASSWORD_VARIABLE, SigningKey
from phone.app.app_json import App

ICON = "icons/icon-512.png"

MAX_LABEL = 100
"""Characters of an Android app's name; launchers show about twelve."""

_SHOWN_OF_VERSION = 12


@dataclass(frozen=True)
class AndroidShell:
    """An Android app without its content; made before anything is written, since each part may be refused.

    Attributes:
        key: What signs it.
        label: Its name.
        package: Its application id.
        version_code: A newer bundle has a higher one, so it is an update.
    """

    key: SigningKey
    label: str
    package: str
    version_code: int

    @classmethod
    def of(cls, manifest: Manifest, key: Path | None, package: str | None) -> AndroidShell:
        """The shell of a bundle's app.

        Args:
            manifest: The bundle's.
            key: File of the key; None for the user's debug key, which is made at its first use.
            package: The application id; None makes one of the bundle's name.

        Raises:
            UsageError: The key, the package or the bundle's time cannot be used.
            EnvironmentMissingError: cryptography is not installed.
        """
        chosen = package or package_name(manifest.name)
        check_package(chosen)
        code = version_code(manifest.provenance.created)
        password = os.environ.get(PASSWORD_VARIABLE)
        signing = SigningKey.debug() if key is None else SigningKey.load(key, password)
        return cls(signing, _label(manifest.name), chosen, code)

    def write(self, app: App, files: Mapping[str, bytes], out: Path) -> None:
        """Writes the package; the same bundle, app and key give the same bytes.

        Args:
            app: The web app.
            files: Its files by path.
            out: The ``.apk``.

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
            icon_png=files[ICON],
            key=self.key,
        )


def _label(name: str) -> str:
    """The bundle's name as Android takes it."""
    return printable(name).strip()[:MAX_LABEL] or "Classifier"
