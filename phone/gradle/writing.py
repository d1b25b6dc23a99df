"""Writes the Gradle project: the template, the core's sources, the bundle, and what differs from app to app."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files as resource_files
from pathlib import Path

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import MANIFEST_FILE
from edge_runtime.bundle.store import check_inside
from edge_runtime.common.atomic_file import usable_path
from edge_runtime.common.atomic_folder import check_folder, folder_replaced
from edge_runtime.common.errors import UsageError
from phone.apk.names import check_label, check_package, check_version_code
from phone.app.app_json import file_entries, version_of
from phone.app.static_files import files_below
from phone.disk.outputs import check_not_current, in_use, write_files

MARKER = "snapship.json"
"""In each project, so that only a project is ever replaced."""

_OPTION = "--android-project"
_ASSETS = "app/src/main/assets"
_NATIVE = "app/src/main/cpp"
_ICON = "app/src/main/res/mipmap-xxxhdpi/icon.png"
_OTHER_HOSTS = frozenset(("python.c", "wasm.c"))
_TEXT = frozenset((".kts", ".xml"))
"""Endings of template files with names in them, as ``@NAME@``."""


def write_project(
    files: Mapping[str, bytes],
    out: Path,
    *,
    label: str,
    package: str,
    version_code: int,
    version_name: str,
    icon_png: bytes,
) -> None:
    """Writes a Gradle project that builds a native app of a bundle.

    Args:
        files: The bundle with one artifact: path inside it to content; of an app's files, those below
            ``bundle/`` without that prefix.
        out: The folder; an older project there is replaced, anything else is refused.
        label: Name of the app.
        package: Its ``applicationId``.
        version_code: A number that grows with each version.
        version_name: The version that people see.
        icon_png: The icon, a square PNG.

    Raises:
        UsageError: A name or number cannot be used, or the place cannot be written or holds something else.
    """
    check_label(label)
    check_package(package)
    check_version_code(version_code)
    check_place(out)
    names = {
        "@LABEL@": _xml_string(label),
        "@PACKAGE@": _kotlin_string(package),
        "@VERSION_CODE@": str(version_code),
        "@VERSION_NAME@": _kotlin_string(version_name),
    }
    content = dict(_template(names))
    content |= {f"{_NATIVE}/{name}": data for name, data in _native().items()}
    content |= {f"{_ASSETS}/bundle/{check_inside(path)}": data for path, data in files.items()}
    content[_ICON] = icon_png
    app = {"name": label, "version": _version(files), "made_by": "snapship"}
    content[f"{_ASSETS}/app.json"] = (json.dumps(app, indent=2) + "\n").encode()
    content[MARKER] = (json.dumps({"made_by": "snapship phone --android-project"}) + "\n").encode()
    with folder_replaced(out, _OPTION) as folder, usable_path(out, _OPTION, refused=OSError):
        write_files(folder, content)
        # What the app opens at its start; a mistake is known now.
        Bundle.open(folder / _ASSETS / "bundle").verify()


def check_place(out: Path) -> None:
    """Checks before the work that a project may be written there: nothing, an empty folder, or an older project.

    Args:
        out: The folder.

    Raises:
        UsageError: The place cannot be written, or is something else.
    """
    with usable_path(out, _OPTION):
        obstacle = _obstacle(out) if in_use(out) else ""
        if obstacle:
            raise UsageError(
                "The folder of an Android project must be new, or an older project. "
                f"Received: {_OPTION} {out}, {obstacle}. Pass another folder."
            )
        check_not_current(out, _OPTION)
    check_folder(out, _OPTION)


def _obstacle(out: Path) -> str:
    """Why a folder must not be replaced, in words; empty for an older project."""
    if not (out / MARKER).is_file():
        return f"without {MARKER}"
    return "whose .git would be lost" if (out / ".git").exists() else ""


def _template(names: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    root = resource_files("phone.gradle").joinpath("template")
    for path, data in files_below(root):
        if Path(path).suffix in _TEXT:
            text = data.decode("utf-8")
            for name, value in names.items():
                text = text.replace(name, value)
            data = text.encode("utf-8")
        # Under its own name, the project's own rules for git would apply to the template.
        yield (".gitignore" if path == "gitignore" else path), data


def _native() -> dict[str, bytes]:
    """The core with its host for Java, as the installed package has it."""
    folder = resource_files("edge_runtime").joinpath("native")
    return {
        entry.name: entry.read_bytes()
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith((".c", ".h")) and entry.name not in _OTHER_HOSTS
    }


def _version(files: Mapping[str, bytes]) -> str:
    """As an app's ``app.json`` has it, over the bundle's files."""
    if MANIFEST_FILE not in files:
        raise UsageError(
            f"An Android project needs a bundle. Received: {len(files)} files without {MANIFEST_FILE}. "
            "Make it with: snapship phone --android-project DIR"
        )
    return version_of(file_entries(files))


def _xml_string(text: str) -> str:
    """A text of ``strings.xml``: for XML, and for Android, which reads quotes, backslashes, ``@`` and ``?``."""
    for sign, written in (
        ("\\", "\\\\"),
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("'", "\\'"),
        ('"', '\\"'),
    ):
        text = text.replace(sign, written)
    return f"\\{text}" if text[:1] in ("@", "?") else text


def _kotlin_string(text: str) -> str:
    """A string of Kotlin, in ASCII."""
    units = [chr(unit) for unit in memoryview(text.encode("utf-16-le")).cast("H")]
    plain = (
        sign if sign.isascii() and sign.isprintable() and sign not in '"\\$' else f"\\u{ord(sign):04x}"
        for sign in units
    )
    return '"' + "".join(plain) + '"'
