"""The files of the app that no script reads: icons and the web manifest."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from PIL import Image, ImageChops

ROOT = Path(__file__).parents[4]
WEB = ROOT / "phone" / "web"


def test_the_web_manifest_names_icons_of_their_real_sizes() -> None:
    manifest = json.loads((WEB / "manifest.webmanifest").read_bytes())
    sizes = set()
    for icon in manifest["icons"]:
        with Image.open(WEB / icon["src"]) as picture:
            assert "x".join(map(str, picture.size)) == icon["sizes"]
        sizes.add((icon["sizes"], icon["purpose"]))
    assert sizes == {("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")}
    assert manifest["display"] == "standalone"
    assert manifest["start_url"] == manifest["scope"] == manifest["id"] == "./"


def test_the_icons_are_those_that_the_script_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ROOT / "tests" / "data" / "make_phone_icons.py"
    spec = importlib.util.spec_from_file_location("make_phone_icons", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    module.main()
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(path.name for path in (WEB / "icons").iterdir())
    for name in drawn:
        with Image.open(tmp_path / name) as new, Image.open(WEB / "icons" / name) as committed:
            difference = ImageChops.difference(new.convert("RGBA"), committed.convert("RGBA"))
            # Another Pillow may quantize otherwise; a sign of another shape differs by more.
            assert max(high for _, high in difference.getextrema()) <= 16


def test_a_maskable_icon_is_opaque() -> None:
    with Image.open(WEB / "icons" / "maskable-512.png") as picture:
        assert picture.convert("RGBA").getextrema()[3] == (255, 255)
