"""The licences in the app."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from phone.app.licenses import licenses_text

ROOT = Path(__file__).resolve().parents[4]


def test_apache_license_is_the_project_s_own_file() -> None:
    shipped = (resources.files("phone") / "licenses" / "apache-2.0.txt").read_text(encoding="utf-8")
    assert shipped == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_all_parts_are_there() -> None:
    text = licenses_text("  the decoder's own\n").decode()
    assert text.index("LiteRT.js") < text.index("TERMS AND CONDITIONS") < text.index("the decoder's own")
    assert text.endswith("the decoder's own\n")
