"""``manifest.webmanifest``: what a browser shows of an installed app."""

from __future__ import annotations

import json

WEB_MANIFEST = "manifest.webmanifest"

SHORT_NAME = 12
"""Characters that phones show below an icon."""


def web_manifest(name: str, template: bytes) -> bytes:
    """Puts the bundle's name into the manifest.

    Args:
        name: The bundle's name, any text.
        template: The manifest in ``phone/web``.
    """
    manifest = json.loads(template) | {"name": name, "short_name": shortened_name(name)}
    return (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()


def shortened_name(name: str) -> str:
    """The name as it fits below an icon."""
    return name if len(name) <= SHORT_NAME else name[: SHORT_NAME - 1].rstrip() + "…"
