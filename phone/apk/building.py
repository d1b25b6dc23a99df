"""From the files of a web app to a signed Android package."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from importlib.resources import files as resource_files
from pathlib import Path

from edge_runtime.bundle.store import check_inside
from edge_runtime.common.atomic_file import write_whole
from edge_runtime.common.errors import UsageError
from phone.apk.aligned_zip import encode_zip
from phone.apk.manifest import encode_icon, encode_manifest
from phone.apk.names import check_label, check_package, check_version_code
from phone.apk.resources import ICON_PNG, ICON_XML, encode_resources
from phone.apk.signing_block import sign_zip
from phone.apk.signing_key import SigningKey

_PAGE = "index.html"
_BRIDGE = "android.js"
"""Added to the page: sharing and downloads, which a WebView lacks."""

_LEFT_OUT = frozenset(("sw.js",))
"""A service worker is for what comes over a network."""

_RESOURCES = "resources.arsc"


def make_apk(
    files: Mapping[str, bytes],
    out: Path,
    *,
    label: str,
    package: str,
    version_code: int,
    version_name: str,
    icon_png: bytes,
    key: SigningKey,
) -> None:
    """Writes an Android app that shows a web app; the same arguments give the same bytes.

    Args:
        files: The web app: relative path to content, with ``index.html``.
        out: The ``.apk``, replaced if it exists.
        label: Name of the app.
        package: Its package, see :func:`phone.apk.names.package_name`.
        version_code: A number that grows with each version, see :func:`phone.apk.names.version_code`.
        version_name: The version that people see.
        icon_png: A square PNG, 192 pixels or more.
        key: What it is signed with.

    Raises:
        UsageError: A name, a number, the icon or a path cannot be used, or the place cannot be written.
    """
    check_label(label)
    check_package(package)
    check_version_code(version_code)
    background = _background(icon_png)
    content = {
        "AndroidManifest.xml": encode_manifest(package, version_code, version_name),
        "classes.dex": _part("classes.dex"),
        # Android 11 and later refuse a compressed table.
        _RESOURCES: encode_resources(package, label, background),
        ICON_XML: encode_icon(),
        ICON_PNG: icon_png,
        **{f"assets/www/{path}": data for path, data in sorted(_with_bridge(files).items())},
    }
    write_whole(out, sign_zip(encode_zip(content, frozenset((_RESOURCES,))), key), "--apk")


def _with_bridge(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The web app with the script that gives it what a WebView lacks, loaded before its own."""
    if _PAGE not in files:
        raise UsageError(
            f"A web app must have a page {_PAGE}. Received: {len(files)} files without it. "
            "Make the app with: snapship phone"
        )
    for path in files:
        if str(check_inside(path)) != path or path == _BRIDGE:
            raise UsageError(
                f"A file of a web app must have a plain relative path. Received: {path!r}. Rename it."
            )
    page = files[_PAGE]
    found = re.search(rb"<script\b|</head>", page)
    if found is None:
        raise UsageError(f"A page must have a head. Received: {_PAGE} without </head>. Add one.")
    script = f'<script src="{_BRIDGE}"></script>\n'.encode()
    kept = {path: data for path, data in files.items() if path not in _LEFT_OUT}
    kept[_PAGE] = page[: found.start()] + script + page[found.start() :]
    kept[_BRIDGE] = _part(_BRIDGE)
    return kept


def _background(icon_png: bytes) -> int:
    """The colour behind the icon, ARGB: the icon's own in its corner, white where that is transparent."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(icon_png), formats=("PNG",)) as picture:
            size = picture.size
            red, green, blue, alpha = picture.convert("RGBA").getpixel((0, 0))  # type: ignore[misc]
    except Exception as error:
        # Pillow raises many kinds for a damaged file.
        raise UsageError(
            f"An app's icon must be a PNG. Received: {len(icon_png)} bytes that are none. Pass another icon."
        ) from error
    if size[0] != size[1]:
        raise UsageError(
            f"An app's icon must be square. Received: {size[0]}x{size[1]} pixels. Pass another icon."
        )
    return 0xFFFFFFFF if alpha < 255 else 0xFF000000 | int(red) << 16 | int(green) << 8 | int(blue)


def _part(name: str) -> bytes:
    return resource_files("phone.apk").joinpath(name).read_bytes()
