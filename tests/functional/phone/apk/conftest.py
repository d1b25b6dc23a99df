"""What the tests of Android packages share: a key of their own, and small packages."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from phone.apk import SigningKey, make_apk

PAGE = b"<!doctype html><html><head><title>x</title><script src='a.js'></script></head></html>"


def icon(size: tuple[int, int] = (192, 192), colour: tuple[int, ...] = (10, 90, 200, 255)) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", size, colour).save(out, "PNG")  # type: ignore[arg-type]
    return out.getvalue()


@pytest.fixture(autouse=True)
def _own_config(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    # One debug key for all tests of the process: making one takes a moment.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Makes a package; keywords replace single arguments."""

    def made(name: str = "app.apk", **changed: object) -> Path:
        given: dict[str, object] = {
            "files": {"index.html": PAGE, "core.wasm": bytes(5000), "icons/icon.png": icon()},
            "label": "Flowers",
            "package": "app.snapship.flowers",
            "version_code": 7,
            "version_name": "1.2",
            "icon_png": icon(),
            "key": None,
        }
        given |= changed
        given["key"] = given["key"] or SigningKey.debug()
        make_apk(given.pop("files"), tmp_path / name, **given)  # type: ignore[arg-type]
        return tmp_path / name

    return made
