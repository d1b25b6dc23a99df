"""``LICENSES.txt``: the licences of everything in the app."""

from __future__ import annotations

from importlib import resources

LICENSES = "LICENSES.txt"

_RULE = "\n\n" + "=" * 80 + "\n"


def licenses_text(of_jpeg: str) -> bytes:
    """The file's content.

    Args:
        of_jpeg: The licences of the JPEG decoder, from its package.
    """
    folder = resources.files("phone") / "licenses"
    notices, apache = (
        (folder / name).read_text(encoding="utf-8").strip() for name in ("notices.txt", "apache-2.0.txt")
    )
    parts = (
        notices,
        f"Apache License 2.0\n\n{apache}",
        f"@jsquash/jpeg and the decoder inside\n\n{of_jpeg.strip()}",
    )
    return (_RULE.join(parts) + "\n").encode()
