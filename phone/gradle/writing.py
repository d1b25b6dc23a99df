"""Writes the Gradle project: the template, the core's sources, the bundle, and what differs from app to app."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files as resource_files
from importlib.resources.abc import Traversable
from pathlib import Path

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import MANIFEST_FILE
from edge_runtime.bundle.store import check_inside
from edge_runtime.common.atomic_folder import folder_replaced
from edge_runtime.common.errors import UsageError
from phone.apk.names import check_label, check_package, check_version_code

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
    with folder_replaced(out, _OPTION) as folder:
        for path, data in content.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        # What the app opens at its start; a mistake is known now.
        Bundle.open(folder / _ASSETS / "bundle").verify()


def check_place(out: Path) -> None:
    """Raises UsageError for a folder that is neither new, nor empty, nor an older project."""
    if out.exists() and not (out / MARKER).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(
            f"The folder of an Android project must be new, or an older project. Received: {_OPTION} {out}, "
            f"without {MARKER}. Pass another folder."
        )


def _template(names: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    root = resource_files("phone.gradle").joinpath("template")
    for path, file in _walk(root, ""):
        data = file.read_bytes()
        if Path(path).suffix in _TEXT:
            text = data.decode("utf-8")
            for name, value in names.items():
                text = text.replace(name, value)
            data = text.encode("utf-8")
        # Under its own name, the project's own rules for git would apply to the template.
        yield (".gitignore" if path == "gitignore" else path), data


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for child in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = f"{path}{child.name}"
        if child.is_dir():
            yield from _walk(child, f"{name}/")
        else:
            yield name, child


def _native() -> dict[str, bytes]:
    """The core with its host for Java, as the installed package has it."""
    folder = resource_files("edge_runtime").joinpath("native")
    return {
        entry.name: entry.read_bytes()
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith((".c", ".h")) and entry.name not in _OTHER_HOSTS
    }


def _version(files: Mapping[str, bytes]) -> str:
    """One hash over paths and contents, as an app's ``app.json`` has it."""
    if MANIFEST_FILE not in files:
        raise UsageError(
            f"An Android project needs a bundle. Received: {len(files)} files without {MANIFEST_FILE}. "
            "Make it with: snapship phone --android-project DIR"
        )
    lines = [f"{path}{hashlib.sha256(data).hexdigest()}" for path, data in sorted(files.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


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
